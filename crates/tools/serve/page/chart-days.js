// Charts over days: stacked columns and lines. A day without a value is a gap, not a zero.

import { s } from "./dom.js";
import { chartFrame, chartWidth, ticks } from "./chart-frame.js";
import { shortDay } from "./format.js";

/**
 * @import { Description } from "./chart-frame.js"
 * @typedef {{ unit: string, least: number, most: number, finest?: number, words: (value: number) => string }} Scale
 */

const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 12;
const TOP = 24;
const BOTTOM = 32;

/** @param {string[]} days @param {Scale} scale */
function frame(days, { unit, least, most, finest, words }) {
  const width = chartWidth();
  const values = ticks(least, most, 4, finest);
  const [start, end] = [values.at(0) ?? least, values.at(-1) ?? most];
  const step = (width - LEFT - RIGHT) / days.length;
  const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - start)) / (end - start);
  const x = (/** @type {number} */ at) => LEFT + step * (at + 0.5);
  const every = Math.max(1, Math.ceil(days.length / (width / 70)));
  const axis = [
    s("text", { class: "unit", x: 0, y: 12 }, unit),
    ...values.flatMap((value) => [
      s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: LEFT - 8, y: y(value), "text-anchor": "end", "dominant-baseline": "middle" }, words(value)),
    ]),
    ...days.flatMap((day, at) => at % every === 0 ? [s("text", { class: "tick", x: x(at), y: HEIGHT - 12, "text-anchor": "middle" }, shortDay(day))] : []),
  ];
  return { x, y, step, axis, size: { width, height: HEIGHT } };
}

/**
 * @param {Description} description
 * @param {string[]} days
 * @param {{ colour: string, values: number[] }[]} layers from the bottom up
 * @param {{ unit: string, most?: number, finest?: number, words: (value: number) => string }} scale
 */
export function columnChart(description, days, layers, scale) {
  const sums = days.map((_, at) => layers.reduce((sum, layer) => sum + (layer.values[at] ?? 0), 0));
  const { x, y, step, axis, size } = frame(days, { ...scale, least: 0, most: scale.most ?? Math.max(1, ...sums) });
  const width = Math.min(28, Math.max(1.5, step * 0.72));
  const columns = days.flatMap((_, at) => {
    let from = 0;
    return layers.map(({ colour, values }) => {
      const value = values[at] ?? 0;
      const column = s("rect", { class: colour, x: x(at) - width / 2, y: y(from + value), width, height: y(from) - y(from + value) });
      from += value;
      return column;
    });
  });
  return chartFrame(description, [...axis, ...columns], size);
}

/**
 * @param {Description} description
 * @param {string[]} days
 * @param {(number | null)[]} values
 * @param {{ unit: string, finest?: number, words: (value: number) => string, colour: string }} scale the axis spans the values: drift is small beside them. Steps are no finer than the labels can distinguish
 */
export function lineChart(description, days, values, scale) {
  const known = values.filter((value) => value !== null);
  const { x, y, axis, size } = frame(days, { ...scale, least: Math.min(...known), most: Math.max(...known) });
  let path = "";
  let pen = "M";
  for (const [at, value] of values.entries()) {
    if (value === null) {
      pen = "M";
    } else {
      path += `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    }
  }
  const dots = values.flatMap((value, at) => value === null ? [] : [s("circle", { class: `dot ${scale.colour}`, cx: x(at), cy: y(value), r: days.length > 45 ? 1.5 : 3 })]);
  return chartFrame(description, [...axis, s("path", { class: `line ${scale.colour}`, d: path }), ...dots], size);
}
