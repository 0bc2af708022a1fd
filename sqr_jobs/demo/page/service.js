// The three endpoints as any client calls them, with a record of every exchange.

/**
 * One request and its answer.
 * @typedef {object} Exchange
 * @property {string} method
 * @property {string} path          without the origin where it is the page's own
 * @property {Object<string, string>} sent       request headers, the token shortened
 * @property {?object} asked        JSON body of the request
 * @property {number} status
 * @property {string} reason
 * @property {Object<string, string>} headers    of the answer, those that matter to a client
 * @property {?object} json         JSON body of the answer
 * @property {?ArrayBuffer} bytes   body of the answer where it is not JSON
 * @property {number} tookMs
 */

const TELLING_HEADERS = [
  "Content-Type", "Content-Length", "Content-Disposition", "Location", "Retry-After",
  "RateLimit", "RateLimit-Policy", "WWW-Authenticate",
];

export class Service {
  org = "";
  prefix = "";
  people = [];
  #token = "";

  /** Get a token, and the people, from the demo. Throws an `Error` with the reason it gave. */
  async open() {
    const answer = await fetch("/demo/session", { cache: "no-store" });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail);
    ({ org: this.org, prefix: this.prefix, people: this.people, token: this.#token } = body);
  }

  /** Each takes a function that is given the exchange, and returns it. They throw where no answer came. */
  ask(userId, record) {
    return this.#call("POST", this.prefix, record, { userId });
  }

  status(jobId, record) {
    return this.#call("GET", `${this.prefix}/${jobId}`, record);
  }

  link(jobId, record) {
    return this.#call("GET", `${this.prefix}/${jobId}/url`, record);
  }

  /** Fetch what a signed URL leads to; the URL itself is the permission. */
  document(url, record) {
    return exchange("GET", url, record, {});
  }

  /** Make a request with the token, and once more with a new one where it has run out. */
  async #call(method, path, record, body) {
    const answer = await exchange(method, path, record, { token: this.#token, body });
    if (answer.status !== 401) return answer;
    await this.open();
    return exchange(method, path, record, { token: this.#token, body });
  }
}

async function exchange(method, url, record, { token, body }) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const began = performance.now();
  const answer = await fetch(url, {
    method,
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
  });
  const isJson = /^application\/([a-z.]+\+)?json\b/.test(answer.headers.get("Content-Type") ?? "");
  const made = {
    method,
    path: withoutSecrets(url).replace(`${location.origin}/`, "/"),
    sent: token ? { ...headers, Authorization: `Bearer ${shortened(token)}` } : headers,
    asked: body ?? null,
    status: answer.status,
    reason: answer.statusText,
    headers: Object.fromEntries(
      TELLING_HEADERS.map((name) => [name, answer.headers.get(name)]).filter(([, value]) => value !== null),
    ),
    json: isJson ? await answer.json() : null,
    bytes: isJson ? null : await answer.arrayBuffer(),
    tookMs: Math.round(performance.now() - began),
  };
  record(made);
  return made;
}

/** Show of a secret only that it is there. */
function shortened(secret) {
  return secret.length > 16 ? `${secret.slice(0, 6)}…${secret.slice(-4)}` : "…";
}

/** Write a URL as the page shows it, with the signature shortened. */
export function withoutSecrets(url) {
  return url.replace(/((?:signature|security-token)=)([^&]+)/gi, (_, name, secret) => name + shortened(secret));
}
