// Corrections since the last training, and whether they are enough for another one.

import { h } from "./dom.js";
import { className, counted, localTime, whole } from "./format.js";

/** @import { FeedbackSummary } from "./contract.js" */

/** @param {FeedbackSummary} summary @param {boolean} [leads] whether a link leads to the training */
export function correctionPanel({ since_training: since, by_class }, leads = true) {
  const bar = h("span", { class: "fill" });
  bar.style.setProperty("--share", String(Math.min(1, since.corrections / Math.max(1, since.threshold))));
  return h("section", { class: "chart corrections" },
    h("h3", {}, "Corrections since the last training"),
    h("p", {}, h("span", { class: "big" }, whole(since.corrections)), ` to learn from; more than ${whole(since.threshold)} call for another training`),
    h("span", { class: "bar", "aria-hidden": "true" }, bar),
    since.missing && h("p", { class: "missing" }, `${counted(since.without_image, "more correction")} ${since.without_image === 1 ? "teaches" : "teach"} nothing: ${since.missing}.`),
    h("p", { class: "fine" }, since.due ? "There are enough. " : "", since.trained_at ? `Trained ${localTime(since.trained_at)}. ` : "", leads && h("a", { href: "#/training" }, "See the training")),
    by_class.length > 0 && h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "The model said"), h("th", { scope: "col" }, "People said"), h("th", { scope: "col", class: "number" }, "Times"))),
      h("tbody", {}, ...by_class.map((entry) => h("tr", {},
        h("td", {}, entry.predicted === null ? "refused" : className(entry.predicted)), h("td", {}, className(entry.corrected)), h("td", { class: "number" }, whole(entry.count)))))),
    by_class.length === 0 && h("p", { class: "fine" }, `${counted(0, "correction")} so far.`));
}
