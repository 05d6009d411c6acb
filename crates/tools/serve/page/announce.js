// Announces changes to screen readers that are otherwise only visible.

import { byId } from "./dom.js";

/** @param {string} words */
export function announce(words) {
  const region = byId("said");
  // A repeated text would not be read again.
  region.textContent = region.textContent === words ? `${words}\u00a0` : words;
}
