// Whether later scans are of another kind than those of the calibration.

import { h } from "./dom.js";
import { counted, decimal, localTime } from "./format.js";

/** @import { Drift, DriftSignal, DriftWindow } from "./contract.js" */

/** @type {Record<DriftSignal["signal"], string>} */
const SIGNALS = {
  feature_distance: "What the model sees in a scan",
  grey_distance: "Greys of a scan",
  class_shares: "How often each class is predicted",
  confidence: "Confidence",
};

/** @param {Drift} drift */
export function driftPanel(drift) {
  return h("figure", { class: "chart" },
    h("figcaption", {}, h("strong", {}, "Compared with the calibration")),
    ...parts(drift));
}

/** @param {Drift} drift @returns {HTMLElement[]} */
function parts(drift) {
  if (!drift.has_reference) {
    return [h("p", {}, "This model's calibration holds no images to compare with. Calibrate it again with the present release.")];
  }
  const [last] = drift.windows;
  if (!last) {
    const span = drift.window_hours === 24 ? "day" : `span of ${counted(drift.window_hours, "hour")}`;
    return [h("p", {}, `No ${span} (UTC) with at least ${drift.least_images} scans has ended yet.`)];
  }
  const alarms = drift.windows.filter((window) => window.signals.some((signal) => signal.alarm)).length;
  return [
    h("p", {}, `${counted(last.images, "scan")} from ${localTime(last.from)} to ${localTime(last.until)}.`),
    table(last),
    h("p", { class: "fine" }, `${counted(alarms, "alarm")} in the last ${counted(drift.windows.length, "window")} of this model. Chance alone gives about one in ${drift.false_alarm_days} days.`),
  ];
}

/** @param {DriftWindow} window */
function table({ signals }) {
  return h("div", { class: "table-box", tabindex: 0, role: "region", "aria-label": "Drift of each signal" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Signal"), ...["Difference", "Limit"].map((name) => h("th", { scope: "col", class: "number" }, name)), h("th", { scope: "col" }, "Result"))),
    h("tbody", {}, ...signals.map((signal) => h("tr", {},
      h("th", { scope: "row" }, SIGNALS[signal.signal]),
      h("td", { class: "number" }, decimal(signal.statistic)),
      h("td", { class: "number" }, decimal(signal.limit)),
      h("td", {}, signal.alarm ? h("strong", {}, "drifted") : "as before"))))));
}
