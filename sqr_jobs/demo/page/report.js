// One report from the request to the document: what a client of the service does, step by step.

import { MISMATCH_WORDS, OUTAGE_WORDS, failureWords, refusalWords } from "./words.js";

const LEAST_WAIT_S = 1;
const OUTAGE_WAIT_S = 5;

/** Follows one report. Whatever changes, `changed(report)` is called. */
export class Report {
  jobId = null;
  userId;
  askedAt = Date.now();
  /** The job as the last answer told it. */
  job = null;
  /** Exchanges by step. */
  exchanges = { ask: [], poll: [], download: [] };
  /** What went wrong: `{step, title, what, advice, code, jobId?, mayTryAgain?}`. */
  trouble = null;
  /** What is waited for: `{step, seconds, until}`, `until` on the clock of `performance.now()`. */
  wait = null;
  /** The document: `{href, filename, isHere}`; one that is not here can only be opened by a link. */
  paper = null;
  /** Whether the service no longer knows the job. */
  isGone = false;
  #service;
  #changed;

  constructor(service, { jobId = null, userId, askedAt }, changed) {
    this.#service = service;
    this.#changed = changed;
    this.jobId = jobId;
    this.userId = userId;
    this.askedAt = askedAt ?? this.askedAt;
  }

  get name() {
    return this.#service.people.find((person) => person.userId === this.userId)?.name ?? this.userId ?? "someone";
  }

  get status() {
    return this.job?.status ?? null;
  }

  get isOver() {
    return this.isGone || this.status === "COMPLETE" || this.status === "FAILED";
  }

  /** Say how a step stands: idle, active, done or failed. */
  stateOf(step) {
    if (this.trouble?.step === step && !this.trouble.isPassing) return "failed";
    if (step === "ask") return this.jobId ? "done" : this.trouble ? "failed" : "active";
    if (!this.jobId || this.isGone) return "idle";
    if (step === "poll") return this.status === "COMPLETE" ? "done" : "active";
    if (this.status !== "COMPLETE") return "idle";
    return this.paper ? "done" : "active";
  }

  /** Ask for the report. Once it is accepted, `jobId` is set. */
  async ask() {
    const answer = await this.#answer("ask", (record) => this.#service.ask(this.userId, record));
    if (answer?.status === 202) {
      this.#learn(answer);
      this.#waitFor("poll", answer);
    } else if (answer) {
      this.#refuse("ask", answer);
      this.trouble.jobId = answer.json?.jobId;
      if (answer.headers["Retry-After"]) this.#waitFor("ask", answer);
    }
    this.#changed(this);
  }

  /** Poll until the job has ended; the first time at once where nothing says to wait. */
  async follow() {
    while (!this.isOver) {
      await this.#pause();
      const answer = await this.#answer("poll", (record) => this.#service.status(this.jobId, record));
      if (answer?.status === 200) {
        this.trouble = null;
        this.#learn(answer);
        if (this.status === "FAILED") this.trouble = { step: "poll", ...failureWords(this.job) };
        if (!this.isOver) this.#waitFor("poll", answer);
      } else if (!answer || answer.status >= 500) {
        if (answer) this.#refuse("poll", answer);
        this.trouble.isPassing = true;
        this.#waitFor("poll", answer);
      } else {
        this.#refuse("poll", answer);
        this.isGone = answer.status === 404;
        this.#changed(this);
        return;
      }
      this.#changed(this);
    }
  }

  /** Get a fresh URL and fetch the document, where it is complete and not here yet; after trouble, `tryAgain`. */
  async fetchPaper() {
    if (this.status !== "COMPLETE" || this.paper || this.trouble || this.#isFetching) return;
    this.#isFetching = true;
    const url = await this.freshLink();
    if (url && new URL(url, location).origin !== location.origin) {
      // Another origin's store lets no page read it, but it sends the file to whoever opens the link.
      this.paper = { href: null, filename: this.#filename, isHere: false };
    } else if (url) {
      const answer = await this.#answer("download", (record) => this.#service.document(url, record));
      if (answer?.status === 200 && answer.bytes) await this.#keep(answer.bytes);
      else if (answer) this.#refuse("download", answer);
    }
    this.#isFetching = false;
    this.#changed(this);
  }

  tryAgain() {
    this.trouble = null;
    return this.fetchPaper();
  }

  /** Ask for a URL of the document; null, with the trouble told, where none is given. */
  async freshLink() {
    const answer = await this.#answer("download", (record) => this.#service.link(this.jobId, record));
    if (answer?.status === 200) {
      this.#filename = answer.json.filename;
      return answer.json.url;
    }
    if (answer) this.#refuse("download", answer);
    return null;
  }

  #filename = "";
  #isFetching = false;

  /** Keep the document if it is the one that the status told of. */
  async #keep(bytes) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (sha256 !== this.job.sha256 || bytes.byteLength !== this.job.sizeBytes) {
      this.trouble = { step: "download", mayTryAgain: true, ...MISMATCH_WORDS };
      return;
    }
    const href = URL.createObjectURL(new Blob([bytes], { type: "application/pdf" }));
    this.paper = { href, filename: this.#filename, isHere: true };
  }

  #learn(answer) {
    this.job = answer.json;
    this.jobId = this.job.jobId;
    this.userId = this.job.userId;
    this.askedAt = Date.parse(this.job.createdAt);
    this.wait = null;
  }

  /** Make a request; null, with the trouble told, where no answer came. */
  async #answer(step, request) {
    this.wait = null;
    try {
      return await request((exchange) => {
        this.exchanges[step].push(exchange);
      });
    } catch {
      this.trouble = { step, mayTryAgain: step === "download", ...OUTAGE_WORDS };
      return null;
    }
  }

  #refuse(step, answer) {
    const words = refusalWords(answer, this.#service.org, this.name);
    this.trouble = { step, mayTryAgain: step === "download" && answer.status >= 500, ...words };
  }

  #waitFor(step, answer) {
    const said = Number(answer?.headers["Retry-After"]) || OUTAGE_WAIT_S;
    const seconds = Math.max(said, LEAST_WAIT_S);
    this.wait = { step, seconds, until: performance.now() + seconds * 1000 };
  }

  #pause() {
    const left = this.wait ? this.wait.until - performance.now() : 0;
    return left > 0 ? new Promise((resume) => setTimeout(resume, left)) : null;
  }
}
