// The dashboard's panels, each from the numbers of GET /v1/dashboard.

import { columnChart, lineChart } from "./chart-days.js";
import { classColour, emptyChart } from "./chart-frame.js";
import { barChart, rangeChart } from "./chart-rows.js";
import { className, counted, decimal, milliseconds, percent, shortDay, whole } from "./format.js";

/** @import { Dashboard, Day } from "./contract.js" */

/** @param {number | null} value @param {(value: number) => string} words */
const known = (value, words) => (value === null ? "–" : words(value));
/** @param {string | null} name null where a foreign picture was refused */
const classOrRefused = (name) => (name === null ? "refused" : className(name));
const share = (/** @type {number} */ value) => `${Math.round(100 * value)} %`;

/** @param {Dashboard} dashboard */
export function classChart({ by_class }) {
  return barChart({
    title: "Predictions by first class",
    summary: by_class.map((entry) => `${className(entry.class)}: ${entry.count}`).join(", "),
    columns: ["Class", "Predictions"],
    rows: by_class.map((entry) => [className(entry.class), entry.count]),
  }, by_class.map((entry, at) => ({ label: className(entry.class), parts: [{ value: entry.count, colour: classColour(at) }], words: whole(entry.count) })),
  { unit: "predictions", finest: 1, words: whole });
}

/** @param {Dashboard} dashboard */
export function meanChart({ by_class }) {
  return barChart({
    title: "Mean probability by class",
    note: "Over all scans that have probabilities, whichever class came first.",
    summary: by_class.map((entry) => `${className(entry.class)}: ${known(entry.mean_probability, percent)}`).join(", "),
    columns: ["Class", "Mean probability", "Mean confidence where first"],
    rows: by_class.map((entry) => [className(entry.class), known(entry.mean_probability, percent), known(entry.mean_confidence, percent)]),
  }, by_class.map((entry, at) => ({ label: className(entry.class), parts: [{ value: entry.mean_probability ?? 0, colour: classColour(at) }], words: known(entry.mean_probability, percent) })),
  { unit: "mean probability", most: 1, words: share });
}

/** @param {Dashboard} dashboard */
export function feedbackChart({ feedback }) {
  if (feedback.right + feedback.wrong === 0) return emptyChart("Feedback by class", "Nobody has said of an answer that it is right or wrong. The buttons are below each answer.");
  return barChart({
    title: "Feedback by first class",
    summary: feedback.by_class.map((entry) => `${classOrRefused(entry.class)}: ${entry.right} right, ${entry.wrong} wrong`).join("; "),
    legend: [{ name: "said right", colour: "right" }, { name: "said wrong", colour: "wrong" }],
    columns: ["Class", "Said right", "Said wrong"],
    rows: feedback.by_class.map((entry) => [classOrRefused(entry.class), entry.right, entry.wrong]),
  }, feedback.by_class.map((entry) => ({
    label: classOrRefused(entry.class),
    parts: [{ value: entry.right, colour: "right" }, { value: entry.wrong, colour: "wrong" }],
    words: `${entry.right} / ${entry.wrong}`,
  })), { unit: "answers with feedback", finest: 1, words: whole });
}

/** @param {Dashboard} dashboard */
export function latencyChart({ latency_ms }) {
  if (latency_ms.length === 0) return emptyChart("Time to an answer by class", "No accepted scan in these days.");
  return rangeChart({
    title: "Time to an answer by class",
    note: "From the median (dot) to the 95th percentile (line's end), decoding and waiting included.",
    summary: latency_ms.map((entry) => `${className(entry.class)}: median ${milliseconds(entry.p50)}, 95th percentile ${milliseconds(entry.p95)}`).join("; "),
    columns: ["Class", "Median", "95th percentile"],
    rows: latency_ms.map((entry) => [className(entry.class), milliseconds(entry.p50), milliseconds(entry.p95)]),
  }, latency_ms.map((entry) => ({ label: className(entry.class), low: entry.p50, high: entry.p95, words: milliseconds(entry.p95) })),
  { unit: "milliseconds", words: (value) => String(value) });
}

/** @param {Dashboard} dashboard */
export function acceptedChart({ counts, per_day }) {
  return columnChart({
    title: "Accepted and refused a day",
    summary: `${counted(counts.accepted, "scan")} accepted and ${counts.refused} refused in ${counted(per_day.length, "day")}`,
    legend: [{ name: "accepted", colour: "accepted" }, { name: "refused", colour: "refused" }],
    columns: ["Day", "Accepted", "Refused"],
    rows: per_day.map((day) => [shortDay(day.day), day.accepted, day.refused]),
  }, days(per_day), [
    { colour: "accepted", values: per_day.map((day) => day.accepted) },
    { colour: "refused", values: per_day.map((day) => day.refused) },
  ], { unit: "scans", finest: 1, words: whole });
}

/** @param {Dashboard} dashboard */
export function confidenceDrift({ per_day }) {
  if (per_day.every((day) => day.mean_confidence === null)) return emptyChart("Mean confidence a day", "No accepted scan in these days.");
  return lineChart({
    title: "Mean confidence a day",
    note: "A fall may mean that other scans come in than the model was trained on.",
    summary: ends(per_day, (day) => day.mean_confidence, percent),
    columns: ["Day", "Mean confidence"],
    rows: per_day.map((day) => [shortDay(day.day), known(day.mean_confidence, percent)]),
  }, days(per_day), per_day.map((day) => day.mean_confidence), { unit: "mean confidence", finest: 0.01, words: share, colour: "series-0" });
}

/** @param {Dashboard} dashboard */
export function distanceDrift({ per_day }) {
  if (per_day.every((day) => day.mean_feature_distance === null)) return emptyChart("Mean distance from the training scans a day", "No accepted scan in these days.");
  return lineChart({
    title: "Mean distance from the training scans a day",
    note: "In the model's features. A rise means that scans look less like those it knows.",
    summary: ends(per_day, (day) => day.mean_feature_distance, (value) => decimal(value, 2)),
    columns: ["Day", "Mean distance"],
    rows: per_day.map((day) => [shortDay(day.day), known(day.mean_feature_distance, (value) => decimal(value, 2))]),
  }, days(per_day), per_day.map((day) => day.mean_feature_distance), { unit: "distance (no unit)", words: String, colour: "series-1" });
}

/** @param {Dashboard} dashboard */
export function mixDrift({ per_day, by_class }) {
  const classes = by_class.map((entry) => entry.class);
  const totals = per_day.map((day) => Object.values(day.by_class).reduce((sum, count) => sum + count, 0));
  return columnChart({
    title: "Classes a day",
    note: "Each class's share of the day's accepted scans.",
    summary: `Shares of ${classes.map(className).join(", ")} over ${counted(per_day.length, "day")}`,
    legend: classes.map((name, at) => ({ name: className(name), colour: classColour(at) })),
    columns: ["Day", ...classes.map(className)],
    rows: per_day.map((day) => [shortDay(day.day), ...classes.map((name) => day.by_class[name] ?? 0)]),
  }, days(per_day), classes.map((name, at) => ({
    colour: classColour(at),
    values: per_day.map((day, index) => (day.by_class[name] ?? 0) / Math.max(1, totals[index] ?? 0)),
  })), { unit: "share of scans", most: 1, words: share });
}

/** @param {Day[]} per_day */
const days = (per_day) => per_day.map((day) => day.day);

/** From the first to the last known value. @param {Day[]} per_day @param {(day: Day) => number | null} value @param {(value: number) => string} words */
function ends(per_day, value, words) {
  const values = per_day.map(value).filter((each) => each !== null);
  const [first, last] = [values.at(0), values.at(-1)];
  if (first === undefined || last === undefined) return "No day has a value";
  return `From ${words(first)} on the first day with scans to ${words(last)} on the last`;
}
