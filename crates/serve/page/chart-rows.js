// Charts with a row a class: bars, stacked bars, and ranges from one value to another.

import { s } from "./dom.js";
import { chartFrame, chartWidth, narrow, ticks } from "./chart-frame.js";

/**
 * @import { Description } from "./chart-frame.js"
 * @typedef {{ label: string, parts: { value: number, colour: string }[], words: string }} BarRow
 * @typedef {{ label: string, low: number, high: number, words: string }} RangeRow
 */

const ROOM_FOR_WORDS = 64;
const BOTTOM = 40;
const TOP = 8;

/** Where a row lies: its label left of the bar, or above it on a phone. */
const layout = () => (narrow.matches
  ? { labels: 14, row: 42, label: { x: 0, y: 8, anchor: "start" }, bar: 26 }
  : { labels: 166, row: 30, label: { x: 156, y: 15, anchor: "end" }, bar: 15 });

/** @param {number} count @param {number} most @param {string} unit @param {(value: number) => string} words */
function frame(count, most, unit, words) {
  const values = ticks(0, most, 4);
  const end = values.at(-1) ?? most;
  const { labels, row } = layout();
  const width = chartWidth();
  const bottom = count * row + TOP;
  const x = (/** @type {number} */ value) => labels + ((width - labels - ROOM_FOR_WORDS) * value) / end;
  const axis = [
    ...values.flatMap((value) => [
      s("line", { class: "grid", x1: x(value), x2: x(value), y1: 4, y2: bottom }),
      s("text", { class: "tick", x: x(value), y: bottom + 16, "text-anchor": "middle" }, words(value)),
    ]),
    s("text", { class: "unit", x: (x(0) + x(end)) / 2, y: bottom + 33, "text-anchor": "middle" }, unit),
  ];
  return { x, axis, size: { width, height: bottom + BOTTOM } };
}

/** @param {string} label @param {number} at */
function labelOf(label, at) {
  const { row, label: place } = layout();
  return s("text", { class: "label", x: place.x, y: TOP + at * row + place.y, "text-anchor": place.anchor, "dominant-baseline": "middle" }, label);
}

/** The middle of a row's bar. @param {number} at */
const middle = (at) => TOP + at * layout().row + layout().bar;

/**
 * @param {Description} description
 * @param {BarRow[]} rows
 * @param {{ unit: string, most?: number, words: (value: number) => string }} scale
 */
export function barChart(description, rows, { unit, most, words }) {
  const sums = rows.map((row) => row.parts.reduce((sum, part) => sum + part.value, 0));
  const { x, axis, size } = frame(rows.length, most ?? Math.max(1, ...sums), unit, words);
  const marks = rows.flatMap((row, at) => {
    let from = 0;
    const bars = row.parts.map(({ value, colour }) => {
      const bar = s("rect", { class: colour, x: x(from), y: middle(at) - 8, width: Math.max(0, x(from + value) - x(from)), height: 16 });
      from += value;
      return bar;
    });
    return [labelOf(row.label, at), ...bars, s("text", { class: "amount", x: x(from) + 8, y: middle(at), "dominant-baseline": "middle" }, row.words)];
  });
  return chartFrame(description, [...axis, ...marks], size);
}

/**
 * @param {Description} description
 * @param {RangeRow[]} rows
 * @param {{ unit: string, words: (value: number) => string }} scale
 */
export function rangeChart(description, rows, { unit, words }) {
  const { x, axis, size } = frame(rows.length, Math.max(...rows.map((row) => row.high), 1), unit, words);
  const marks = rows.flatMap((row, at) => {
    const y = middle(at);
    return [
      labelOf(row.label, at),
      s("line", { class: "range", x1: x(row.low), x2: x(row.high), y1: y, y2: y }),
      s("circle", { class: "dot", cx: x(row.low), cy: y, r: 5 }),
      s("line", { class: "end", x1: x(row.high), x2: x(row.high), y1: y - 6, y2: y + 6 }),
      s("text", { class: "amount", x: x(row.high) + 10, y, "dominant-baseline": "middle" }, row.words),
    ];
  });
  return chartFrame(description, [...axis, ...marks], size);
}
