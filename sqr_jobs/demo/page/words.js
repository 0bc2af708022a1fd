// What refusals and failures mean in plain words, and what a client does next.
// docs/reference/errors.md has them all; a code that is not here is told by the answer's own words.

/** Refused requests by `code`; `{org}` and `{name}` are filled in. */
const REFUSALS = {
  USER_NOT_PERMITTED: [
    "Not connected",
    "{org} may not have a report on {name}.",
    "Asking again does not help until someone connects the two. The permission is checked at each request.",
  ],
  JOB_ALREADY_ACTIVE: [
    "Already being made",
    "A report on {name} that {org} asked for before is not finished yet.",
    "Follow that one instead of asking again; the answer names it.",
  ],
  RATE_LIMITED: [
    "Too many requests",
    "{org} has used up its requests{window}.",
    "Wait as long as Retry-After says, then ask again. Asking earlier is refused without harm.",
  ],
  USER_NOT_FOUND: ["No such person", "The service knows no {name}.", "Check the user's id; asking again does not help."],
  JOB_NOT_FOUND: ["No such report", "{org} has no report with this id.", "Ask for a new one."],
  JOB_FAILED: ["No document", "This report failed, so there is nothing to download.", "Ask for a new one."],
  JOB_NOT_COMPLETE: ["Not ready", "The document may still come.", "Poll the status until it is complete."],
  DOCUMENT_EXPIRED: ["Document expired", "It was kept for its time and then deleted.", "Ask for a new report."],
  DOCUMENT_GONE: ["Document gone", "The store has lost it. An operator hears of it.", "Ask for a new report."],
  UNAUTHENTICATED: ["Token refused", "The service does not accept the demo's token.", "Reload the page. If that does not help, SQR_JOBS_JWT_* names another issuer."],
  INSUFFICIENT_SCOPE: ["Scope missing", "The token does not permit this request.", "Get a token with the scope that WWW-Authenticate names."],
  SERVICE_UNAVAILABLE: ["Out of reach", "A part of the service does not answer just now.", "Try again after Retry-After."],
  INTERNAL_ERROR: ["Something went wrong", "An unexpected fault, on the service's side.", "Try again; the demo's terminal shows the reason."],
};

/** Failed jobs by `errorCode`. */
const FAILURES = {
  REPORT_DATA_UNAVAILABLE: ["The data for the report could not be loaded, even after several tries.", "Ask again later."],
  REPORT_DATA_INVALID: ["The data for the report is not what the template needs.", "Asking again helps only once the data is right. Report it to the service."],
  RENDER_FAILED: ["The document could not be laid out.", "The same data would fail again: don't repeat it, report it to the service with the job's id."],
  RENDER_TIMEOUT: ["Making the document took too long, twice.", "Ask again later; if it fails again, report it with the job's id."],
  RENDER_CRASHED: ["The program that makes the document crashed, three times.", "Report it to the service with the job's id."],
  OUT_OF_MEMORY: ["The document needs more memory than one report may take.", "Report it to the service with the job's id."],
  OUTPUT_TOO_LARGE: ["The document is larger than one report may be.", "Asking again does not help. Report it to the service."],
  STORAGE_UNAVAILABLE: ["The finished document could not be stored, even after several tries.", "Ask again later."],
  WORKER_LOST: ["The worker was lost while it made the document, three times.", "Ask again; if it fails again, report it with the job's id."],
  TEMPLATE_NOT_FOUND: ["No worker knew the report's template.", "Report it to the service: its workers run another version."],
  RENDER_START_FAILED: ["No worker could start the program that makes documents.", "Ask again later; if it fails again, report it with the job's id."],
  DEADLINE_EXCEEDED: ["The document was not finished in time.", "Ask again; that is safe, the old job can't finish any more."],
  CANCELLED: ["Someone cancelled the report.", "Ask again if it is still wanted."],
};

export const OUTAGE_WORDS = {
  title: "No answer",
  what: "The demo does not answer. Does “sqr-jobs demo” still run?",
  advice: "Start it again; nothing that it accepted is lost.",
  code: "",
};

export const MISMATCH_WORDS = {
  title: "Not the document",
  what: "What came has another size or SHA-256 than the status told of.",
  advice: "Throw it away and take a fresh URL. If it happens again, report it with the job's id.",
  code: "",
};

export const STATUS_WORDS = { PENDING: "Waiting", IN_PROGRESS: "In progress", COMPLETE: "Complete", FAILED: "Failed" };

/** Explain a refused request: `{title, what, advice, code}`. */
export function refusalWords(exchange, org, name) {
  const { code, title, detail } = exchange.json ?? {};
  const [known, what, advice] = REFUSALS[code] ?? [
    title ?? `Status ${exchange.status}`, detail ?? "The answer is not one of this service.", "",
  ];
  const fill = (text) =>
    text.replaceAll("{org}", org).replaceAll("{name}", () => isolated(name)).replaceAll("{window}", () => windowWords(exchange));
  return { title: known, what: fill(what), advice, code: `${exchange.status} ${code ?? ""}` };
}

/** Explain a job that ended as FAILED, in the same form. */
export function failureWords(job) {
  const [what, advice] = FAILURES[job.errorCode] ?? ["The service gives a reason that this page does not know.", ""];
  return { title: "The report failed", what, advice, code: `errorCode ${job.errorCode}` };
}

/** Keep a name that writes from right to left from turning the sentence around it. */
function isolated(name) {
  return `\u2068${name}\u2069`;
}

/** Say of which window: `RateLimit-Policy: "org";q=10;w=600` is " of 10 in any 10 minutes". */
function windowWords(exchange) {
  const [, quota, seconds] = /;q=(\d+);w=(\d+)/.exec(exchange.headers["RateLimit-Policy"] ?? "") ?? [];
  return quota ? `: ${quota} in any ${spanWords(Number(seconds))}` : "";
}

export function spanWords(seconds) {
  if (seconds % 60 === 0 && seconds > 60) return `${seconds / 60} minutes`;
  return seconds === 60 ? "minute" : `${seconds} seconds`;
}
