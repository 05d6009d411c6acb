// Charts with a row a class: bars, stacked bars, and ranges from one value to another.

import { s } from "./dom.js";
import { chartFrame, ticks } from "./chart-frame.js";

/**
 * @import { Description } from "./chart-frame.js"
 * @typedef {{ label: string, parts: { value: number, colour: string }[], words: string }} BarRow
 * @typedef {{ label: string, low: number, high: number, words: string }} RangeRow
 */

const WIDTH = 480;
const LABELS = 150;
const ROOM_FOR_WORDS = 64;
const ROW = 30;
const BOTTOM = 40;

/** @param {number} count @param {number} most @param {string} unit @param {(value: number) => string} words */
function frame(count, most, unit, words) {
  const values = ticks(most, 4);
  const end = values.at(-1) ?? most;
  const bottom = count * ROW + 8;
  const x = (/** @type {number} */ value) => LABELS + ((WIDTH - LABELS - ROOM_FOR_WORDS) * value) / end;
  const axis = [
    ...values.flatMap((value) => [
      s("line", { class: "grid", x1: x(value), x2: x(value), y1: 4, y2: bottom }),
      s("text", { class: "tick", x: x(value), y: bottom + 16, "text-anchor": "middle" }, words(value)),
    ]),
    s("text", { class: "unit", x: (x(0) + x(end)) / 2, y: bottom + 33, "text-anchor": "middle" }, unit),
  ];
  return { x, axis, size: { width: WIDTH, height: bottom + BOTTOM } };
}

/** @param {string} label @param {number} at */
const labelOf = (label, at) => s("text", { class: "label", x: LABELS - 10, y: 8 + at * ROW + ROW / 2, "text-anchor": "end", "dominant-baseline": "middle" }, label);

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
      const bar = s("rect", { class: colour, x: x(from), y: 8 + at * ROW + 7, width: Math.max(0, x(from + value) - x(from)), height: ROW - 14 });
      from += value;
      return bar;
    });
    return [labelOf(row.label, at), ...bars, s("text", { class: "amount", x: x(from) + 8, y: 8 + at * ROW + ROW / 2, "dominant-baseline": "middle" }, row.words)];
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
    const y = 8 + at * ROW + ROW / 2;
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
