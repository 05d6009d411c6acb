// The list of scans: a picture, a name and a state each.

import { h, icon } from "./dom.js";
import { inWords } from "./errors.js";
import { className, percent } from "./format.js";

/** @import { Scan } from "./scan.js" */

/** Seconds until a paused scan is sent again. @param {Scan} scan */
export function pauseLeft({ state }) {
  return state.kind === "paused" ? Math.max(0, Math.ceil((state.untilMs - Date.now()) / 1000)) : 0;
}

/** @param {Scan} scan @returns {string} */
export function stateInWords(scan) {
  const { state } = scan;
  switch (state.kind) {
    case "waiting": return "waiting";
    case "sending": return "asking the model";
    case "paused": return `server busy, again in ${pauseLeft(scan)} s`;
    case "answered": return state.prediction.class === null || state.prediction.confidence === null ? "no class" : `${className(state.prediction.class)}, ${percent(state.prediction.confidence)}`;
    case "refused": return "refused: not a scan the model knows";
    case "failed": return inWords(state.error).what;
  }
}

/** @param {Scan} scan @param {{ choose: () => void, remove: () => void }} acts */
export function railEntry(scan, { choose, remove }) {
  const picture = h("span", { class: "thumb", "aria-hidden": "true" });
  const state = h("span", { class: "state" });
  const button = h("button", { type: "button", class: "entry", onclick: choose }, picture, h("span", { class: "texts" }, h("span", { class: "file" }, scan.name), state));
  const element = h("li", { class: "rail-entry" }, button,
    h("button", { type: "button", class: "icon-only quiet remove", "aria-label": `Remove ${scan.name}`, title: "Remove", onclick: remove }, icon("close")));

  const draw = () => {
    element.dataset.state = scan.state.kind;
    state.textContent = stateInWords(scan);
    if (scan.picture && scan.picture !== "none" && !picture.querySelector("canvas")) picture.replaceChildren(thumbnail(scan.picture));
    if (scan.picture === "none") picture.replaceChildren(icon("file"));
  };
  scan.addEventListener("change", draw);
  draw();
  return {
    element,
    /** Again, for the seconds of a pause. */
    draw,
    /** @param {boolean} is */
    chosen(is) {
      if (is) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    },
  };
}

/** @param {ImageBitmap} picture */
function thumbnail(picture) {
  const side = 96;
  const canvas = h("canvas", { width: side, height: side });
  const scale = Math.max(side / picture.width, side / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  canvas.getContext("2d")?.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
  return canvas;
}
