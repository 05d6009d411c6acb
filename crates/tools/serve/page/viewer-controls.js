// The controls beside the picture: zoom buttons, window and level over the grey histogram, the heat's opacity.

import { h, icon, s, unique } from "./dom.js";
import { className } from "./format.js";
import { greyHistogram, WHOLE_RANGE } from "./grey-window.js";

/** @import { Viewer, Drag } from "./viewer.js" */

/**
 * @param {string} label
 * @param {{ min: number, max: number, step: number, value: number, words: (value: number) => string, act: (value: number) => void }} range
 */
function slider(label, { min, max, step, value, words, act }) {
  const id = unique("slider");
  const output = h("output", { for: id }, words(value));
  const input = h("input", { id, type: "range", min, max, step, value, "aria-valuetext": words(value) });
  const tell = () => {
    output.textContent = words(input.valueAsNumber);
    input.setAttribute("aria-valuetext", words(input.valueAsNumber));
  };
  input.addEventListener("input", () => {
    tell();
    act(input.valueAsNumber);
  });
  return {
    element: h("div", { class: "slider" }, h("label", { for: id }, label), input, output),
    /** @param {number} next */
    set(next) {
      input.value = String(next);
      tell();
    },
  };
}

/** @param {Viewer} viewer */
export function zoomBar(viewer) {
  const name = unique("drag");
  const amount = h("output", { class: "zoom-amount", "aria-label": "Magnification" });
  const tell = () => {
    amount.textContent = viewer.scale > 0 && Number.isFinite(viewer.scale) ? `${Math.round(100 * viewer.scale)} %` : "";
  };
  viewer.addEventListener("view", tell);
  new ResizeObserver(tell).observe(viewer.canvas);
  const choice = (/** @type {Drag} */ drag, /** @type {string} */ words) => {
    const id = unique("drag");
    return [
      h("input", { type: "radio", name, id, value: drag, checked: drag === viewer.drag, onchange: () => {
        viewer.drag = drag;
        viewer.canvas.dataset.drag = drag;
      } }),
      h("label", { for: id }, words),
    ];
  };
  const button = (/** @type {string} */ picture, /** @type {string} */ words, /** @type {() => void} */ act) =>
    h("button", { type: "button", class: "icon-only", "aria-label": words, title: words, onclick: act }, icon(picture));
  const element = h("div", { class: "zoom-bar" },
    h("fieldset", { class: "segments" }, h("legend", { class: "unseen" }, "Dragging on the picture"), ...choice("pan", "Move"), ...choice("window", "Window")),
    h("div", { class: "zoom-buttons" },
      button("minus", "Zoom out", () => viewer.zoom("out")),
      amount,
      button("plus", "Zoom in", () => viewer.zoom("in")),
      button("fit", "Show the whole picture", () => viewer.fit())));
  return { element, tell };
}

/** Window and level of pictures that the browser can draw. @param {Viewer} viewer */
export function greyControls(viewer) {
  const band = s("rect", { class: "band", y: 0, height: 40 });
  const bars = s("path", { class: "bars" });
  const graph = s("svg", { class: "histogram", viewBox: "0 0 256 40", preserveAspectRatio: "none", "aria-hidden": "true" }, band, bars);
  const level = slider("Level", { min: 0, max: 255, step: 1, value: WHOLE_RANGE.centre, words: (value) => String(Math.round(value)),
    act: (centre) => apply({ ...viewer.greyWindow, centre }) });
  const width = slider("Window", { min: 1, max: 255, step: 1, value: WHOLE_RANGE.width, words: (value) => String(Math.round(value)),
    act: (chosen) => apply({ ...viewer.greyWindow, width: chosen }) });

  /** @param {import("./grey-window.js").GreyWindow} window */
  const apply = (window) => {
    viewer.setWindow(window);
    tell();
  };
  const tell = () => {
    const window = viewer.greyWindow;
    level.set(window.centre);
    width.set(window.width);
    const low = Math.max(0, window.centre - window.width / 2);
    const high = Math.min(256, window.centre + window.width / 2);
    band.setAttribute("x", String(low));
    band.setAttribute("width", String(Math.max(1, high - low)));
  };
  viewer.addEventListener("window", tell);

  return {
    element: h("div", { class: "grey-controls", role: "group", "aria-label": "Window and level, in grey values from 0 to 255" },
      graph, level.element, width.element,
      h("button", { type: "button", class: "quiet", onclick: () => apply({ ...WHOLE_RANGE }) }, "Reset")),
    /** After another picture is shown. */
    refresh() {
      if (viewer.pixels) {
        const counts = greyHistogram(viewer.pixels);
        // Many scans are mostly black border: the square root keeps the rest visible.
        const roots = counts.map(Math.sqrt);
        const most = Math.max(...roots, 1);
        bars.setAttribute("d", roots.map((root, bin) => `M${bin * 4} 40v${-38 * root / most}h4v${38 * root / most}z`).join(""));
      }
      tell();
    },
  };
}

/** The heat's opacity. @param {Viewer} viewer */
export function heatControl(viewer) {
  const caption = h("p", { class: "fine" });
  const opacity = slider("Heat", { min: 0, max: 100, step: 5, value: 100 * viewer.heatOpacity, words: (value) => `${value} %`,
    act: (value) => viewer.setHeat(value / 100) });
  return {
    element: h("div", { class: "heat-control" }, opacity.element, caption),
    /** @param {string | null} of the class that the heat is for, null if the heat is empty */
    refresh(of) {
      opacity.element.hidden = of === null;
      opacity.set(100 * viewer.heatOpacity);
      caption.textContent = of === null
        ? "Grad-CAM is empty here: no place in the picture spoke for this class more than against it."
        : `Grad-CAM: where the picture spoke for “${className(of)}”. It shows what the model looked at, not where disease is.`;
    },
  };
}
