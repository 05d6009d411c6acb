// Window of a DICOM scan in Hounsfield units: the server applies it, so a change sends a new request.

import { h, unique } from "./dom.js";

/** @import { Window } from "./contract.js" */

/** Usual windows of CT reading. @type {readonly (Window & { name: string })[]} */
const PRESETS = [
  { name: "Lung", centre: -600, width: 1500 },
  { name: "Mediastinum", centre: 40, width: 400 },
  { name: "Bone", centre: 400, width: 1800 },
];

/**
 * @param {Window | null} present the window that the answer was made with
 * @param {(window: Window) => void} ask
 */
export function hounsfieldWindow(present, ask) {
  const field = (/** @type {string} */ label, /** @type {number | undefined} */ value, /** @type {number} */ min) => {
    const id = unique("window");
    const input = h("input", { id, type: "number", step: 1, min, max: 10_000, required: true, value: value ?? "" });
    return { input, element: h("div", { class: "field" }, h("label", { for: id }, label), input) };
  };
  const centre = field("Centre, HU", present?.centre, -10_000);
  const width = field("Width, HU", present?.width, 1);
  return h("form", { class: "hounsfield-window", onsubmit: (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    ask({ centre: centre.input.valueAsNumber, width: width.input.valueAsNumber });
  } },
    h("div", { class: "presets", role: "group", "aria-label": "Usual windows" }, ...PRESETS.map((preset) =>
      h("button", { type: "button", class: "quiet", "aria-pressed": String(preset.centre === present?.centre && preset.width === present?.width), onclick: () => {
        centre.input.value = String(preset.centre);
        width.input.value = String(preset.width);
        ask({ centre: preset.centre, width: preset.width });
      } }, preset.name))),
    centre.element, width.element,
    h("button", { type: "submit" }, "Ask again"));
}
