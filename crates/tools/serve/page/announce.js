// What a screen reader is told of changes that are only seen otherwise.

import { byId } from "./dom.js";

/** @param {string} words */
export function announce(words) {
  const region = byId("said");
  // The same words twice would not be read twice.
  region.textContent = region.textContent === words ? `${words}\u00a0` : words;
}
