// The page: asks for reports, follows those that it knows of, and shows one.

import { element } from "./exchanges.js";
import { drawCountdown, drawPanel, drawTrouble, mayAskAgain, setText } from "./panel.js";
import { drawPeople } from "./people.js";
import { Recent, isJobId } from "./recent.js";
import { Report } from "./report.js";
import { Service } from "./service.js";
import { STATUS_WORDS, spanWords } from "./words.js";

const TICK_MS = 200;

const part = (id) => document.getElementById(id);
const service = new Service();
/** Reports, and the links to them, by job id. */
const reports = new Map();
const links = new Map();
let recent;
let shown = null;
/** Until when no request may be made, and what is left to say of it. */
let barredUntil = 0;
let quotaLeft = "";

try {
  await service.open();
  start();
} catch (error) {
  const advice = "Open the address that “sqr-jobs demo” printed, while it runs.";
  drawTrouble({ title: "The demo gives this page no token", what: error.message, advice, code: "" });
}

function start() {
  part("org").textContent = service.org;
  drawPeople(part("people"), service.people);
  part("form").addEventListener("submit", ask);
  part("again").addEventListener("click", () => shown.tryAgain());
  part("download").addEventListener("click", openFreshLink);
  recent = new Recent(service.org, meet);
  addEventListener("hashchange", goWhereAddressSays);
  meet();
  goWhereAddressSays();
  setInterval(tick, TICK_MS);
}

/** Take in the reports that other tabs have asked for. */
function meet() {
  for (const entry of recent.entries) {
    if (!reports.has(entry.jobId)) watch(new Report(service, entry, onChange));
  }
  drawRecent();
}

function watch(report) {
  reports.set(report.jobId, report);
  report.follow();
}

/** Show the report that the address names, else the newest. */
function goWhereAddressSays() {
  const named = location.hash.slice(1);
  const jobId = isJobId(named) ? named : recent.entries[0]?.jobId;
  if (!jobId) return draw();
  if (!reports.has(jobId)) watch(new Report(service, { jobId }, onChange));
  show(reports.get(jobId));
}

function show(report) {
  shown = report;
  report.fetchPaper();
  draw();
}

function draw() {
  drawPanel(shown, service.prefix);
  markShown();
}

async function ask(event) {
  event.preventDefault();
  if (part("submit").getAttribute("aria-disabled") === "true") return;
  const report = new Report(service, { userId: new FormData(event.target).get("person") }, onChange);
  part("submit").setAttribute("aria-disabled", "true");
  if (location.hash) history.pushState(null, "", location.pathname);
  show(report);
  bringIntoView(part("report"));
  await report.ask();
  learnQuota(report);
  tick();
  if (!report.jobId) return;
  watch(report);
  recent.add(report);
  drawRecent();
  if (shown === report) location.hash = report.jobId;
}

/** Scroll to what a narrow page has further down. */
function bringIntoView(section) {
  if (section.getBoundingClientRect().top < innerHeight / 2) return;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  section.scrollIntoView({ behavior: isStill ? "auto" : "smooth" });
}

/** Open a link to a document that is not here; each click takes a new one, since they expire. */
async function openFreshLink(event) {
  if (shown.paper.isHere) return;
  event.preventDefault();
  const href = await shown.freshLink();
  if (href) location.assign(href); // the answer is an attachment: the page stays
  draw();
}

function onChange(report) {
  if (report.isGone) recent.remove(report.jobId);
  else if (report.job && !links.has(report.jobId)) recent.add(report);
  drawRecent();
  if (report !== shown) return;
  report.fetchPaper();
  draw();
}

function drawRecent() {
  const wanted = recent.entries.map((entry) => entry.jobId);
  for (const [jobId, link] of links) {
    if (wanted.includes(jobId)) continue;
    link.parentElement.remove();
    links.delete(jobId);
  }
  for (const jobId of wanted.reverse()) {
    if (!links.has(jobId)) {
      const link = element("a", { href: `#${jobId}` }, element("bdi"), element("span"), element("time"));
      links.set(jobId, link);
      part("recent").prepend(element("li", {}, link));
    }
    if (reports.has(jobId)) drawLink(links.get(jobId), reports.get(jobId));
  }
  part("none-yet").hidden = wanted.length > 0;
  markShown();
}

function drawLink(link, report) {
  const [name, status, time] = link.children;
  name.textContent = report.name;
  status.textContent = STATUS_WORDS[report.status] ?? "…";
  status.className = `chip chip-${report.status ?? "unknown"}`;
  time.textContent = new Date(report.askedAt).toLocaleTimeString([], { timeStyle: "short", hourCycle: "h23" });
}

function markShown() {
  for (const [jobId, link] of links) {
    if (jobId === shown?.jobId) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** Keep what an answer told of the org's quota: `"org";r=9;t=600` and `"org";q=10;w=600`. */
function learnQuota(report) {
  const headers = report.exchanges.ask.at(-1)?.headers ?? {};
  const [, left] = /;r=(\d+)/.exec(headers.RateLimit ?? "") ?? [];
  const [, quota, window] = /;q=(\d+);w=(\d+)/.exec(headers["RateLimit-Policy"] ?? "") ?? [];
  if (quota) quotaLeft = `${left} requests left of ${quota} in any ${spanWords(Number(window))}.`;
  barredUntil = report.wait?.step === "ask" ? report.wait.until : 0;
}

/** Move the countdowns, and free the button when its time has come. */
function tick() {
  drawCountdown(shown);
  const left = (barredUntil - performance.now()) / 1000;
  const isAsking = shown && !shown.jobId && !shown.trouble;
  part("submit").setAttribute("aria-disabled", String(left > 0 || isAsking));
  setText("quota", barredUntil ? mayAskAgain(left) : quotaLeft);
}
