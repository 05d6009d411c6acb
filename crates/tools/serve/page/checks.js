// The two checks that distinguish scans of the model's kind from foreign pictures, as text and as a gauge.

import { h, icon, s } from "./dom.js";
import { decimal } from "./format.js";

/** @import { Checks } from "./contract.js" */

/**
 * @typedef {object} Told
 * @property {string} name
 * @property {boolean} passed
 * @property {string} words
 * @property {number} value
 * @property {number} limit
 * @property {number} start of the gauge
 * @property {number} end of the gauge
 */

/** @param {Checks} checks @returns {Told[]} */
export function toldChecks({ grey_histogram: grey, features }) {
  const short = grey.limit - grey.correlation;
  const over = features.distance - features.limit;
  return [
    {
      name: "Grey values",
      passed: grey.passed,
      words: grey.passed
        ? `correlation ${decimal(grey.correlation)}; at least ${decimal(grey.limit)} is wanted`
        : `correlation ${decimal(grey.correlation)}; at least ${decimal(grey.limit)} is wanted, ${decimal(short)} more`,
      value: grey.correlation,
      limit: grey.limit,
      start: -1,
      end: 1,
    },
    {
      name: "The model's features",
      passed: features.passed,
      words: features.passed
        ? `distance ${decimal(features.distance, 2)}; at most ${decimal(features.limit, 2)} is allowed`
        : `distance ${decimal(features.distance, 2)}; at most ${decimal(features.limit, 2)} is allowed, ${decimal(over, 2)} too far (${decimal(features.distance / features.limit, 1)} ×)`,
      value: features.distance,
      limit: features.limit,
      start: 0,
      end: Math.max(2 * features.limit, 1.1 * features.distance),
    },
  ];
}

/** @param {Told} told A bar with a tick at the limit. */
function gauge({ value, limit, start, end, passed }) {
  const at = (/** @type {number} */ of) => 200 * Math.min(1, Math.max(0, (of - start) / (end - start)));
  return s("svg", { class: passed ? "gauge" : "gauge failed", viewBox: "0 0 200 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "track", x: 0, y: 4, width: 200, height: 4 }),
    s("rect", { class: "value", x: 0, y: 4, width: at(value), height: 4 }),
    s("rect", { class: "limit", x: at(limit) - 0.75, y: 0, width: 1.5, height: 12 }));
}

/** @param {Checks} checks */
export function checkList(checks) {
  return h("ul", { class: "checks" }, ...toldChecks(checks).map((told) =>
    h("li", { class: told.passed ? "passed" : "failed" },
      icon(told.passed ? "tick" : "cross"),
      h("div", {},
        h("p", {}, h("strong", {}, told.name), told.passed ? " passed" : " refused"),
        gauge(told),
        h("p", { class: "fine" }, told.words)))));
}
