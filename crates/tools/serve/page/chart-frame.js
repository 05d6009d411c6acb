// What every chart has: a title, a unit, a legend, a summary for users who do not see it, and its numbers as a table.

import { h, s, unique } from "./dom.js";

/**
 * @typedef {object} Description
 * @property {string} title
 * @property {string} summary the content of the chart in one sentence
 * @property {{ name: string, colour: string }[]} [legend] colour is a class of charts.css
 * @property {string[]} columns
 * @property {(string | number)[][]} rows the first cell names its row
 * @property {string} [note]
 */

/** @param {Description} description @param {SVGElement[]} marks @param {{ width: number, height: number }} size */
export function chartFrame({ title, summary, legend = [], columns, rows, note }, marks, { width, height }) {
  const [name, words] = [unique("chart"), unique("chart")];
  return h("figure", { class: "chart" },
    h("figcaption", {}, h("h3", {}, title), note && h("p", { class: "fine" }, note)),
    legend.length > 0 && h("ul", { class: "legend" }, ...legend.map((entry) => h("li", {}, h("span", { class: `key ${entry.colour}`, "aria-hidden": "true" }), entry.name))),
    s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${name} ${words}` },
      s("title", { id: name }, title), s("desc", { id: words }, summary), ...marks),
    h("details", { class: "fold numbers" },
      h("summary", {}, "As a table"),
      h("div", { class: "table-box", tabindex: 0, role: "region", "aria-label": `${title}, as a table` }, h("table", {},
        h("thead", {}, h("tr", {}, ...columns.map((column, at) => h("th", { scope: "col", class: at === 0 ? "" : "number" }, column)))),
        h("tbody", {}, ...rows.map(([first = "", ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), ...cells.map((cell) => h("td", { class: "number" }, cell)))))))));
}

/** A chart without data. @param {string} title @param {string} words */
export function emptyChart(title, words) {
  return h("figure", { class: "chart none" }, h("figcaption", {}, h("h3", {}, title)), h("p", { class: "fine" }, words));
}

/** A phone: charts are then drawn narrower, so that their text keeps its size. */
export const narrow = matchMedia("(max-width: 640px)");

/** Width of a chart in its own units, which are about pixels. */
export const chartWidth = () => (narrow.matches ? 300 : 440);

/**
 * About `wanted` round numbers from at most `least` to at least `most`.
 * @param {number} least
 * @param {number} most
 * @param {number} wanted
 * @param {number} [finest] the smallest step: 1 for counts
 * @returns {number[]}
 */
export function ticks(least, most, wanted, finest = 1e-3) {
  const rough = Math.max((most - least) / wanted, finest);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  const first = Math.floor(least / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(most / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

/** The colour of the class at this place of the model's order. @param {number} at */
export const classColour = (at) => `series-${at % 8}`;
