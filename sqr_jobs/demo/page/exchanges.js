// Draws an exchange: a line that opens to headers and bodies. All text goes in as text.

import { withoutSecrets } from "./service.js";

const WIDE = matchMedia("(min-width: 74rem)");
const STATES = new Set(["PENDING", "IN_PROGRESS", "COMPLETE", "FAILED"]);
const ENDS = new Set(["COMPLETE", "FAILED"]);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Draw an exchange. Those that move a report on are notable: see `openLatest`. */
export function drawExchange(exchange) {
  const { method, path, status, reason, tookMs } = exchange;
  const colour = exchange.json?.status === "FAILED" ? "failed" : Math.floor(status / 100);
  const summary = element(
    "summary",
    {},
    element("b", { className: "method", textContent: method }),
    element("code", { className: "path", textContent: shortPath(path) }),
    element("span", { className: `code code-${colour}`, textContent: `${status} ${stateOf(exchange)}` }),
  );
  const drawn = element(
    "details",
    { className: "exchange" },
    summary,
    element("h4", { textContent: "Request" }),
    message(`${method} ${path}`, exchange.sent, exchange.asked),
    element("h4", { textContent: `Answer, after ${tookMs} ms` }),
    message(`${status} ${reason}`, exchange.headers, exchange.json ?? sizeOf(exchange.bytes)),
  );
  if (movesOn(exchange)) drawn.dataset.notable = "";
  summary.addEventListener("click", () => {
    drawn.dataset.held = ""; // from now on it is the reader's to open and close
  });
  return drawn;
}

/** On a wide page, have the latest notable exchange open and those before it closed. */
export function openLatest(place) {
  if (!WIDE.matches) return;
  const latest = [...place.querySelectorAll("[data-notable]")].at(-1);
  for (const drawn of place.querySelectorAll(".exchange:not([data-held])")) drawn.open = drawn === latest;
}

/** Write a path without its query, and with the start of each long id. */
function shortPath(path) {
  return path.split("?")[0].replace(/([0-9a-f]{8})-[0-9a-f-]{27}/g, "$1…");
}

/** Say what a poll came to; of other requests, the status line's own words. */
function stateOf({ method, reason, json }) {
  return method === "GET" && STATES.has(json?.status) ? json.status : reason;
}

function movesOn({ method, status, json }) {
  return method === "POST" || status >= 400 || Boolean(json && (ENDS.has(json.status) || json.url));
}

function sizeOf(bytes) {
  return bytes.byteLength ? `${bytes.byteLength} bytes` : null;
}

/** Write a message as it goes over the wire: first line, headers, an empty line, the body. */
function message(first, headers, body) {
  const text = element("pre", {}, element("b", { textContent: first }));
  for (const [name, value] of Object.entries(headers)) {
    text.append("\n", element("span", { className: "name", textContent: `${name}:` }), ` ${value}`);
  }
  if (typeof body === "string") text.append("\n\n", element("i", { textContent: body }));
  else if (body) text.append("\n\n", ...jsonLines(body));
  return text;
}

/** Write JSON with its names set off from its values. */
function jsonLines(body) {
  return JSON.stringify(body, (name, value) => (name === "url" ? withoutSecrets(value) : value), 2)
    .split("\n")
    .flatMap((line, index) => {
      const [, indent, name, rest] = /^(\s*)("[^"]+":)(.*)$/.exec(line) ?? [null, line, "", ""];
      return [index ? "\n" : "", indent, element("span", { className: "name", textContent: name }), rest];
    });
}
