// Charts with one row for each class: bars, stacked bars, and ranges from one value to another.

import { s } from "./dom.js";
import { chartFrame, chartWidth, narrow, ticks } from "./chart-frame.js";

/**
 * @import { Description } from "./chart-frame.js"
 * @typedef {{ label: string, parts: { value: number, colour: string }[], words: string }} BarRow
 * @typedef {{ unit: string, words: (value: number) => string, finest?: number }} Scale finest: 1 for counts
 * @typedef {{ label: string, low: number, high: number, words: string }} RangeRow
 */

const ROOM_FOR_WORDS = 64;
const BOTTOM = 40;
const TOP = 8;

/** About the width of a letter. */
const LETTER = 7.2;

/** The position of a row: its label is left of the bar, or above it on a phone. @param {{ label: string }[]} rows */
function layout(rows) {
  if (narrow.matches) return { labels: 14, row: 42, label: { x: 0, y: 8, anchor: "start" }, bar: 26 };
  const labels = Math.min(220, 16 + LETTER * Math.max(...rows.map((row) => row.label.length)));
  return { labels, row: 30, label: { x: labels - 10, y: 15, anchor: "end" }, bar: 15 };
}

/** @param {{ label: string }[]} rows @param {number} most @param {Scale} scale */
function frame(rows, most, { unit, finest, words }) {
  const values = ticks(0, most, 4, finest);
  const end = values.at(-1) ?? most;
  const { labels, row } = layout(rows);
  const width = chartWidth();
  const bottom = rows.length * row + TOP;
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

/** @param {{ label: string }[]} rows @param {number} at */
function labelOf(rows, at) {
  const { row, label: place } = layout(rows);
  return s("text", { class: "label", x: place.x, y: TOP + at * row + place.y, "text-anchor": place.anchor, "dominant-baseline": "middle" }, rows[at]?.label);
}

/** The middle of a row's bar. @param {{ label: string }[]} rows @param {number} at */
function middle(rows, at) {
  const { row, bar } = layout(rows);
  return TOP + at * row + bar;
}

/**
 * @param {Description} description
 * @param {BarRow[]} rows
 * @param {Scale & { most?: number }} scale
 */
export function barChart(description, rows, scale) {
  const sums = rows.map((row) => row.parts.reduce((sum, part) => sum + part.value, 0));
  const { x, axis, size } = frame(rows, scale.most ?? Math.max(1, ...sums), scale);
  const marks = rows.flatMap((row, at) => {
    let from = 0;
    const bars = row.parts.map(({ value, colour }) => {
      const bar = s("rect", { class: colour, x: x(from), y: middle(rows, at) - 8, width: Math.max(0, x(from + value) - x(from)), height: 16 });
      from += value;
      return bar;
    });
    return [labelOf(rows, at), ...bars, s("text", { class: "amount", x: x(from) + 8, y: middle(rows, at), "dominant-baseline": "middle" }, row.words)];
  });
  return chartFrame(description, [...axis, ...marks], size);
}

/**
 * @param {Description} description
 * @param {RangeRow[]} rows
 * @param {Scale} scale
 */
export function rangeChart(description, rows, scale) {
  const { x, axis, size } = frame(rows, Math.max(...rows.map((row) => row.high), 1), scale);
  const marks = rows.flatMap((row, at) => {
    const y = middle(rows, at);
    return [
      labelOf(rows, at),
      s("line", { class: "range", x1: x(row.low), x2: x(row.high), y1: y, y2: y }),
      s("circle", { class: "dot", cx: x(row.low), cy: y, r: 5 }),
      s("line", { class: "end", x1: x(row.high), x2: x(row.high), y1: y - 6, y2: y + 6 }),
      s("text", { class: "amount", x: x(row.high) + 10, y, "dominant-baseline": "middle" }, row.words),
    ];
  });
  return chartFrame(description, [...axis, ...marks], size);
}
