// Scans to try at once, from the model's own test images.

import { askBlob, askJson } from "./api.js";
import { h } from "./dom.js";
import { failure } from "./errors.js";
import { classTitle } from "./format.js";

/** @import { Sample } from "./contract.js" */

const SHOWN = 8;

/**
 * One of each class first, then the next of each.
 * @param {Sample[]} samples
 */
function mixed(samples) {
  /** @type {Map<string, Sample[]>} */
  const byClass = new Map();
  for (const sample of samples) byClass.set(sample.class, [...(byClass.get(sample.class) ?? []), sample]);
  const rows = [...byClass.values()];
  const longest = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length: longest }, (_, at) => rows.flatMap((row) => row[at] ?? [])).flat().slice(0, SHOWN);
}

/**
 * @param {(content: Blob, name: string) => void} take
 * @returns {HTMLElement} filled when the server has answered
 */
export function sampleShelf(take) {
  const shelf = h("div", { class: "sample-shelf", "aria-busy": "true" }, ...Array.from({ length: SHOWN }, () => h("div", { class: "sample skeleton" })));
  const fill = async () => {
    try {
      /** @type {{ samples: Sample[] }} */
      const { samples } = await askJson("/v1/samples");
      if (samples.length === 0) {
        shelf.replaceChildren(h("p", { class: "fine" }, "This server has no samples."));
      } else {
        shelf.replaceChildren(...mixed(samples).map((sample) => tile(sample, take)));
      }
    } catch (error) {
      shelf.replaceChildren(failure("The samples could not be read", error, fill));
    }
    shelf.removeAttribute("aria-busy");
  };
  fill();
  return shelf;
}

/** @param {Sample} sample @param {(content: Blob, name: string) => void} take */
function tile(sample, take) {
  const picture = h("img", { alt: "", width: 96, height: 96 });
  const content = askBlob(sample.url);
  content.then((blob) => {
    picture.src = URL.createObjectURL(blob);
  }, () => {
    picture.remove();
  });
  const note = h("span", { class: "fine" }, "labelled");
  return h("button", { type: "button", class: "sample", onclick: async () => {
    try {
      take(await content, sample.name);
    } catch {
      // Requested once more: the server may have been unreachable the first time.
      take(await askBlob(sample.url), sample.name);
    }
  } }, picture, h("span", { class: "sample-name" }, note, " ", classTitle(sample.class)));
}
