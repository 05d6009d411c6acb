// Accepts scans: dropped anywhere on the page, pasted, or picked.

import { h, icon, unique } from "./dom.js";

/** @typedef {(files: File[]) => void} Take */

/** @param {Take} take @param {string} words @param {string} look a class of the label */
export function picker(take, words, look) {
  const id = unique("pick");
  const input = h("input", { id, type: "file", multiple: true, class: "unseen", accept: ".png,.jpg,.jpeg,.dcm,.dicom,image/png,image/jpeg,application/dicom" });
  input.addEventListener("change", () => {
    take([...(input.files ?? [])]);
    input.value = "";
  });
  return h("span", { class: "picker" }, input, h("label", { for: id, class: look }, icon("plus"), words));
}

/**
 * @param {Take} take
 * @param {() => void} shown makes the place with the scans visible
 */
export function startIntake(take, shown) {
  let inside = 0;
  const over = (/** @type {boolean} */ is) => document.documentElement.classList.toggle("dropping", is);
  const holdsFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (event) => {
    if (!holdsFiles(event)) return;
    inside += 1;
    over(true);
  });
  addEventListener("dragleave", (event) => {
    if (!holdsFiles(event)) return;
    inside = Math.max(0, inside - 1);
    over(inside > 0);
  });
  addEventListener("dragover", (event) => {
    if (holdsFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    inside = 0;
    over(false);
    shown();
    take([...(event.dataTransfer?.files ?? [])]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    shown();
    take(files);
  });
}
