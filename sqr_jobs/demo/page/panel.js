// Draws one report: how it stands, its three steps with their exchanges, what went wrong, the document.

import { drawExchange, element, openLatest } from "./exchanges.js";
import { STATUS_WORDS } from "./words.js";

const STEPS = ["ask", "poll", "download"];
const showsPdf = navigator.pdfViewerEnabled !== false;

const part = (id) => document.getElementById(id);
let drawnBefore = null;

/** Draw a report; null is the page before anything was asked for. */
export function drawPanel(report, prefix) {
  const heading = report ? ["Report on ", element("bdi", { textContent: report.name })] : ["Three requests make a report"];
  part("report-title").replaceChildren(...heading);
  const id = report?.jobId ? `${report.jobId.slice(0, 8)}…` : "{id}";
  part("ask-line").textContent = `POST ${prefix}`;
  part("poll-line").textContent = `GET …/${id}`;
  part("download-line").textContent = `GET …/${id}/url`;
  for (const step of STEPS) drawStep(step, report);
  openLatest(part("report"));
  drawnBefore = report;
  setText("headline", headline(report));
  part("headline").hidden = part("headline").textContent === "";
  drawTrouble(report?.trouble);
  drawPaper(report);
  document.title = report?.status ? `${STATUS_WORDS[report.status]} – sqr-jobs demo` : "sqr-jobs demo";
  drawCountdown(report);
}

/** Tell what went wrong, with what the client can do; nothing is told where all is well. */
export function drawTrouble(trouble) {
  part("notice").hidden = !trouble;
  part("actions").hidden = !trouble;
  if (!trouble) return;
  for (const field of ["title", "what", "advice", "code"]) setText(`notice-${field}`, trouble[field]);
  part("other-job").hidden = !trouble.jobId;
  if (trouble.jobId) part("other-job").href = `#${trouble.jobId}`;
  part("again").hidden = !trouble.mayTryAgain;
}

/** Move what changes with time alone. It stands outside the live region: no one wants seconds read out. */
export function drawCountdown(report) {
  const { step, seconds, until } = report?.wait ?? {};
  const left = until ? Math.max(0, (until - performance.now()) / 1000) : 0;
  part("clock").hidden = step !== "poll";
  if (step === "poll") {
    part("clock-bar").max = seconds;
    part("clock-bar").value = seconds - left;
    setText("clock-text", left ? `asks again in ${Math.ceil(left)} s` : "asks now");
  }
  setText("countdown", step === "ask" ? mayAskAgain(left) : "");
}

export function mayAskAgain(seconds) {
  const left = Math.ceil(seconds);
  if (left <= 0) return "You may ask again now.";
  return `You may ask again in ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}.`;
}

/** Change text only where it differs, so that a live region speaks once. */
export function setText(id, text) {
  if (part(id).textContent !== text) part(id).textContent = text;
}

function headline(report) {
  if (!report) return "Pick a person and ask.";
  const { trouble, paper, status } = report;
  if (trouble) return trouble.isPassing ? "Waiting for the service." : "";
  if (!report.jobId) return "Asking…";
  if (paper) return `Complete. The document ${paper.isHere ? "is here" : "can be downloaded"}.`;
  if (status === "COMPLETE") return "Complete. Getting the document…";
  if (status === "PENDING") return "Accepted. Waiting for a worker.";
  return status ? "In progress. A worker makes the document." : "Asking how it stands…";
}

function drawStep(step, report) {
  const item = part(`step-${step}`);
  item.dataset.state = report ? report.stateOf(step) : "idle";
  const list = item.querySelector(".exchanges");
  if (drawnBefore !== report) list.replaceChildren();
  const exchanges = report?.exchanges[step] ?? [];
  list.append(...exchanges.slice(list.childElementCount).map(drawExchange));
}

function drawPaper(report) {
  const paper = report?.paper;
  const isShown = Boolean(paper?.isHere && showsPdf);
  part("paper").dataset.state = paper ? "here" : "none";
  part("download").hidden = !paper;
  part("facts").hidden = !paper;
  part("paper-note").hidden = isShown;
  setText("paper-note", paperNote(report));
  setText("paper-file", paper?.filename ?? "");
  part("frame").hidden = !isShown;
  showInFrame(isShown ? `${paper.href}#toolbar=0&navpanes=0&view=FitH` : "about:blank");
  if (!paper) return;
  part("frame").title = `Report on ${report.name}`;
  part("download").href = paper.href ?? "#";
  part("download").download = paper.filename;
  const { sizeBytes, durationMs, templateVersion, sha256 } = report.job;
  const facts = {
    Size: `${sizeBytes} bytes`,
    "Made in": `${(durationMs / 1000).toFixed(2)} s`,
    Template: templateVersion,
    "SHA-256": `${sha256.slice(0, 10)}…${paper.isHere ? " ✓ matches" : ""}`,
  };
  part("facts").replaceChildren(
    ...Object.entries(facts).map(([term, text]) =>
      element("div", {}, element("dt", { textContent: term }), element("dd", { textContent: text })),
    ),
  );
}

/** Lead the frame somewhere, without a step in the history. */
function showInFrame(source) {
  const frame = part("frame");
  if ((frame.dataset.source ?? "about:blank") === source) return;
  frame.dataset.source = source;
  frame.contentWindow.location.replace(source);
}

function paperNote(report) {
  const paper = report?.paper;
  if (!paper && report?.trouble && !report.trouble.isPassing) return "There is none.";
  if (!paper) return "It appears here when the report is complete.";
  if (!paper.isHere) return "It lies in a store of another origin, which no page may read. The button opens a fresh link.";
  return "This browser shows no PDF inside a page.";
}
