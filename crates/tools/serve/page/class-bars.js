// One bar a class, and the place of the positive classes' sum among the operating points.

import { h, s } from "./dom.js";
import { className, classTitle, counted, percent } from "./format.js";

/** @import { ClassProbability, Positive } from "./contract.js" */

/** @param {ClassProbability[]} probabilities most probable first where shown */
export function classBars(probabilities) {
  const ordered = [...probabilities].sort((a, b) => b.probability - a.probability);
  return h("ol", { class: "class-bars", "aria-label": "Probability of each class" }, ...ordered.map(({ class: name, probability }, rank) => {
    const bar = h("span", { class: "fill" });
    bar.style.setProperty("--share", String(probability));
    return h("li", { class: rank === 0 ? "first" : "" },
      h("span", { class: "name" }, classTitle(name)),
      h("span", { class: "amount" }, percent(probability)),
      h("span", { class: "bar", "aria-hidden": "true" }, bar));
  }));
}

/**
 * @param {Positive} positive
 * @param {string | null} firstClass the most probable one, which need not be among them
 */
export function positiveScale(positive, firstClass) {
  const x = (/** @type {number} */ probability) => 6 + 288 * probability;
  const reached = positive.operating_points.filter((point) => point.reached);
  const strictest = reached.reduce((best, point) => Math.max(best, point.specificity), 0);
  return h("div", { class: "positive" },
    h("p", {}, h("strong", {}, percent(positive.probability)), ` for ${positive.classes.length === 1 ? className(positive.classes[0] ?? "") : `any of ${positive.classes.map(className).join(", ")}`}.`),
    s("svg", { class: "positive-scale", viewBox: "0 0 300 26", "aria-hidden": "true" },
      s("line", { class: "axis", x1: 6, x2: 294, y1: 13, y2: 13 }),
      ...positive.operating_points.map((point) => s("line", { class: "threshold", x1: x(point.threshold), x2: x(point.threshold), y1: 5, y2: 21 })),
      s("circle", { class: "mark", cx: x(positive.probability), cy: 13, r: 5 })),
    h("p", { class: "fine" }, inWords(positive, reached.length === 0 ? null : strictest, firstClass)));
}

/** @param {Positive} positive @param {number | null} strictest specificity @param {string | null} firstClass */
function inWords(positive, strictest, firstClass) {
  const points = counted(positive.operating_points.length, "operating point");
  if (positive.operating_points.length === 0) return "The model has no operating point: nobody says from where on it counts as positive.";
  if (strictest === null) return `Not positive: below every operating point (${points}, marked on the line).`;
  const verdict = `Positive at ${Math.round(100 * strictest)} % specificity (${points}, marked on the line)`;
  if (firstClass === null || positive.classes.includes(firstClass)) return `${verdict}.`;
  // A threshold may be far below one half: then both are true, which needs an explanation.
  return `${verdict}, although ${classTitle(firstClass)} is the most probable class: the threshold there is ${percent(Math.max(...positive.operating_points.filter((point) => point.reached).map((point) => point.threshold)))}, so that few findings are missed.`;
}
