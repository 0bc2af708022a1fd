// Draws an exchange: a line that opens to headers and bodies. All text goes in as text.

import { withoutSecrets } from "./service.js";

const WIDE = matchMedia("(min-width: 74rem)");
const TURNS = new Set(["COMPLETE", "FAILED"]);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Draw one exchange. On a wide page those that move the report on are open. */
export function drawExchange(exchange) {
  const { method, path, status, reason, tookMs } = exchange;
  const summary = element(
    "summary",
    {},
    element("b", { className: "method", textContent: method }),
    element("code", { className: "path", textContent: path.split("?")[0] }),
    element("span", { className: `code code-${Math.floor(status / 100)}`, textContent: `${status} ${reason}` }),
    element("span", { className: "took", textContent: `${tookMs} ms` }),
  );
  const drawn = element(
    "details",
    { className: "exchange", open: WIDE.matches && movesOn(exchange) },
    summary,
    element("h4", { textContent: "Request" }),
    message(`${method} ${path}`, exchange.sent, exchange.asked),
    element("h4", { textContent: "Answer" }),
    message(`${status} ${reason}`, exchange.headers, exchange.json ?? sizeOf(exchange.bytes)),
  );
  return drawn;
}

function movesOn({ method, status, json }) {
  return method === "POST" || status >= 400 || Boolean(json && (TURNS.has(json.status) || json.url));
}

function sizeOf(bytes) {
  return bytes.byteLength ? `${bytes.byteLength} bytes` : null;
}

/** Write a message as it goes over the wire: first line, headers, an empty line, the body. */
function message(first, headers, body) {
  const text = element("pre", { tabIndex: -1 }, element("b", { textContent: first }));
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
