// The server's requests, from its own store.

import { askJson } from "./api.js";
import { announce } from "./announce.js";
import { h, unique } from "./dom.js";
import { failure } from "./errors.js";
import { className, counted, percent, whole } from "./format.js";
import { narrow } from "./chart-frame.js";
import { correctionPanel } from "./corrections.js";
import { driftPanel } from "./drift.js";
import { acceptedChart, classChart, confidenceDrift, distanceDrift, feedbackChart, latencyChart, meanChart, mixDrift } from "./dashboard-charts.js";

/** @import { Dashboard, Drift, FeedbackSummary } from "./contract.js" */

const SPANS = [7, 30, 90, 365];

/** @returns {import("./router.js").Place} */
export function dashboardPlace() {
  const id = unique("days");
  const span = h("select", { id }, ...SPANS.map((days) => h("option", { value: days, selected: days === 30 }, days === 365 ? "a year" : `${days} days`)));
  const body = h("div", { class: "dashboard" });
  /** @type {AbortSignal | undefined} */
  let present;

  const load = async () => {
    body.setAttribute("aria-busy", "true");
    if (!body.firstChild) body.replaceChildren(...Array.from({ length: 4 }, () => h("div", { class: "chart skeleton" })));
    const options = present ? { signal: present } : {};
    try {
      /** @type {[Dashboard, FeedbackSummary, Drift]} */
      const [dashboard, summary, drift] = await Promise.all([
        askJson(`/v1/dashboard?days=${span.value}`, options),
        askJson("/v1/feedback/summary", options),
        askJson("/v1/drift", options),
      ]);
      draw(dashboard, summary, drift);
      announce(`Dashboard of ${counted(dashboard.days, "day")}: ${counted(dashboard.counts.total, "prediction")}.`);
    } catch (error) {
      if (present?.aborted) return;
      body.replaceChildren(failure("The dashboard could not be read", error, load));
    }
    body.removeAttribute("aria-busy");
  };
  span.addEventListener("change", load);
  narrow.addEventListener("change", () => {
    if (element.isConnected) load();
  });

  /** @param {Dashboard} dashboard @param {FeedbackSummary} summary @param {Drift} drift */
  const draw = (dashboard, summary, drift) => {
    if (dashboard.counts.total === 0) {
      body.replaceChildren(h("div", { class: "empty" },
        h("h2", {}, `Nothing in the last ${counted(dashboard.days, "day")}`),
        h("p", {}, "Counts, confidence, feedback, time and drift are drawn from what the server is asked. Send a scan, or look further back."),
        h("a", { class: "button", href: "#/scans" }, "Send a scan")));
      return;
    }
    body.replaceChildren(
      figures(dashboard),
      panels("What came in", classChart(dashboard), meanChart(dashboard), acceptedChart(dashboard), latencyChart(dashboard)),
      panels("What people said", feedbackChart(dashboard), correctionPanel(summary)),
      panels("Drift", driftPanel(drift), confidenceDrift(dashboard), distanceDrift(dashboard), mixDrift(dashboard)));
  };

  const element = h("section", { class: "place" },
    h("div", { class: "place-top" },
      h("h1", { tabindex: -1 }, "Dashboard"),
      h("div", { class: "field inline" }, h("label", { for: id }, "The last"), span)),
    body);
  return { title: "Dashboard", element, enter(_query, signal) {
    present = signal;
    load();
  } };
}

/** @param {string} heading @param {...HTMLElement} charts */
function panels(heading, ...charts) {
  return h("section", { class: "panels" }, h("h2", {}, heading), h("div", { class: "panel-grid" }, ...charts));
}

/** @param {Dashboard} dashboard */
function figures({ counts, feedback, by_class }) {
  const answered = feedback.right + feedback.wrong;
  const first = by_class.reduce((/** @type {typeof by_class[number] | null} */ best, entry) => (best && best.count >= entry.count ? best : entry), null);
  const figure = (/** @type {string} */ label, /** @type {string} */ value, /** @type {string} */ words) =>
    h("div", { class: "figure-box" }, h("dt", {}, label), h("dd", {}, h("span", { class: "big" }, value), h("span", { class: "fine" }, words)));
  return h("dl", { class: "figures" },
    figure("Predictions", whole(counts.total), first && first.count > 0 ? `most often ${className(first.class)}` : "no class yet"),
    figure("Accepted", whole(counts.accepted), `${percent(counts.accepted / counts.total)} of all`),
    figure("Refused", whole(counts.refused), `${percent(counts.refused / counts.total)} of all`),
    figure("Said wrong", whole(feedback.wrong), answered === 0 ? "no feedback yet" : `of ${counted(answered, "answer")} with feedback`));
}
