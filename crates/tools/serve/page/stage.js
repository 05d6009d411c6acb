// The middle of the page: the chosen scan's picture and its controls.

import { h, icon } from "./dom.js";
import { className } from "./format.js";
import { WHOLE_RANGE } from "./grey-window.js";
import { hounsfieldWindow } from "./hounsfield-window.js";
import { greyControls, heatControl, zoomBar } from "./viewer-controls.js";
import { Viewer } from "./viewer.js";

/**
 * @import { Prediction, Window } from "./contract.js"
 * @import { Scan } from "./scan.js"
 */

/** @param {(scan: Scan, window: Window) => void} askAgain */
export function scanStage(askAgain) {
  const viewer = new Viewer();
  const zoom = zoomBar(viewer);
  const grey = greyControls(viewer);
  const heat = heatControl(viewer);
  const blank = h("div", { class: "blank" });
  const windowSlot = h("div", {});
  const frame = h("div", { class: "frame" }, viewer.canvas, blank);
  const element = h("section", { class: "stage", "aria-label": "Picture" }, frame, zoom.element, grey.element, windowSlot, heat.element);

  /** @type {Scan | null} */
  let shown = null;
  /** The heat, and the answer it belongs to. @type {{ png: string, picture: ImageBitmap } | null} */
  let decoded = null;
  /** The window form is unchanged while the answer is the same. @type {Prediction | null} */
  let windowOf = null;

  /** @param {Scan} scan */
  const show = async (scan) => {
    if (scan !== shown) {
      shown = scan;
      windowOf = null;
      windowSlot.replaceChildren();
      viewer.greyWindow = { ...WHOLE_RANGE };
      viewer.fit();
    }
    const prediction = scan.state.kind === "answered" ? scan.state.prediction : null;
    const explanation = prediction?.explanation ?? null;
    if (explanation && decoded?.png !== explanation.png) {
      decoded = { png: explanation.png, picture: await decodedPicture(explanation.png) };
      if (scan !== shown) return;
    }
    const picture = scan.picture === "none" ? null : scan.picture;
    const overlay = explanation ? (decoded?.picture ?? null) : null;
    viewer.show(picture, overlay, `${scan.name}${explanation ? `, with the heat for ${className(explanation.class)}` : ""}.`);
    zoom.tell();
    blank.hidden = picture !== null;
    blank.classList.toggle("below", overlay !== null);
    blank.replaceChildren(...undrawn(scan, overlay !== null));
    viewer.canvas.hidden = picture === null && overlay === null;
    grey.element.hidden = picture === null;
    if (picture) grey.refresh();
    heat.element.hidden = prediction === null;
    heat.refresh(explanation?.class ?? null);
    const dicom = await scan.isDicom();
    if (scan === shown && dicom && prediction !== windowOf && scan.state.kind !== "sending") {
      windowOf = prediction;
      windowSlot.replaceChildren(hounsfieldWindow(prediction?.image.window ?? scan.window, (window) => askAgain(scan, window)));
    }
  };
  return { element, show };
}

/** @param {Scan} scan @param {boolean} hasHeat */
function undrawn(scan, hasHeat) {
  if (scan.picture === null) return [h("p", {}, "Reading…")];
  const prediction = scan.state.kind === "answered" ? scan.state.prediction : null;
  return [
    icon("file"),
    h("p", {}, h("strong", {}, "There is no picture of this file.")),
    h("p", {}, prediction
      ? `The server read it: ${prediction.image.format.toUpperCase()}, ${prediction.image.width} × ${prediction.image.height}${prediction.image.window ? `, window ${prediction.image.window.centre} / ${prediction.image.window.width} HU` : ""}.${hasHeat ? " The heat is drawn without the picture." : ""}`
      : "If something is wrong with it, the answer says what."),
  ];
}

/** @param {string} png a data URL */
async function decodedPicture(png) {
  const image = new Image();
  image.src = png;
  await image.decode();
  return createImageBitmap(image);
}
