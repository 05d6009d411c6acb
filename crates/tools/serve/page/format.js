// Numbers, times and names for display.

const dateTime = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

/** `large_cell_carcinoma` → `large cell carcinoma`. @param {string} name */
export const className = (name) => name.replaceAll("_", " ");

/** The same with a capital letter. @param {string} name */
export const classTitle = (name) => {
  const words = className(name);
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/**
 * A probability in per cent, never rounded to 0 % or 100 % if it is uncertain.
 * @param {number} probability
 */
export function percent(probability) {
  if (probability > 0.999 && probability < 1) return ">\u00a099.9\u00a0%";
  if (probability < 0.001 && probability > 0) return "<\u00a00.1\u00a0%";
  return `${(100 * probability).toFixed(1)}\u00a0%`;
}

/** @param {number} value @param {number} [digits] */
export const decimal = (value, digits = 3) => value.toFixed(digits);

/** @param {number} count */
export const whole = (count) => count.toLocaleString("en-GB");

/** @param {number} value */
export const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** @param {string} time RFC 3339 */
export const localTime = (time) => dateTime.format(new Date(time));

/** @param {string} day `2026-11-20` */
export const shortDay = (day) => date.format(new Date(`${day}T00:00:00Z`));

/** The first 12 of 64 digits, as in git: enough to distinguish two. @param {string} digest */
export const shortDigest = (digest) => digest.slice(0, 12);

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;
