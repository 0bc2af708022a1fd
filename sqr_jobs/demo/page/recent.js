// The reports that this browser knows of, shared by its tabs: the service has no list to ask for.

const MOST = 8;

/** A list of `{jobId, userId, askedAt}`, newest first. How a job stands is not kept: each tab asks. */
export class Recent {
  #key;

  constructor(org, changed) {
    this.#key = `sqr-jobs-demo.recent.${org}`;
    addEventListener("storage", (event) => {
      if (event.key === this.#key || event.key === null) changed();
    });
  }

  get entries() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? "[]");
      return kept.filter((entry) => isJobId(entry.jobId));
    } catch {
      return []; // unreadable, or the browser keeps nothing for this page
    }
  }

  add({ jobId, userId, askedAt }) {
    const others = this.entries.filter((entry) => entry.jobId !== jobId);
    const entries = [...others, { jobId, userId, askedAt }].sort((one, other) => other.askedAt - one.askedAt);
    this.#keep(entries.slice(0, MOST));
  }

  remove(jobId) {
    this.#keep(this.entries.filter((entry) => entry.jobId !== jobId));
  }

  #keep(entries) {
    try {
      localStorage.setItem(this.#key, JSON.stringify(entries));
    } catch {
      // The tab still has its own reports; others don't see them.
    }
  }
}

export function isJobId(text) {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
