// The model's confidence in words. They describe the model's answer, never a patient.

import { h } from "./dom.js";

/**
 * The words for the model's confidence, by the probability of its first class. A calibrated model that
 * is "fairly sure" is wrong about once in five times; the words must not promise more.
 * @type {readonly { from: number, words: string, meaning: string }[]}
 */
export const SCALE = [
  { from: 0.99, words: "very sure", meaning: "wrong at most once in a hundred such answers" },
  { from: 0.9, words: "sure", meaning: "wrong up to once in ten" },
  { from: 0.7, words: "fairly sure", meaning: "wrong up to three times in ten" },
  { from: 0.5, words: "leaning", meaning: "right more often than wrong, not by much" },
  { from: 0, words: "unsure", meaning: "no class reaches one half; read nothing into the first" },
];

/** @param {number} confidence @returns {string} */
export function confidenceInWords(confidence) {
  return SCALE.find((step) => confidence >= step.from)?.words ?? "unsure";
}

/** The scale as a table, folded. */
export function confidenceScale() {
  return h("details", { class: "fold" },
    h("summary", {}, "What the words mean"),
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Word"), h("th", { scope: "col" }, "Probability"), h("th", { scope: "col" }, "If the model is calibrated"))),
      h("tbody", {}, ...SCALE.map((step, at) => {
        const above = SCALE[at - 1];
        return h("tr", {},
          h("th", { scope: "row" }, step.words),
          h("td", {}, above ? `${Math.round(100 * step.from)}–${Math.round(100 * above.from)} %` : `≥ ${Math.round(100 * step.from)} %`),
          h("td", {}, step.meaning));
      }))),
    h("p", { class: "fine" }, "They describe how often such answers were right on scans like those the model was tested on: not this patient, and not scans from elsewhere."));
}
