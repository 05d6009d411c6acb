// One scan from the user, and its state.

import { ask } from "./api.js";
import { unique } from "./dom.js";

/**
 * @import { ErrorBody, Prediction, Window } from "./contract.js"
 * @typedef {{ kind: "waiting" }
 *   | { kind: "sending" }
 *   | { kind: "paused", untilMs: number }
 *   | { kind: "answered", prediction: Prediction }
 *   | { kind: "refused", error: ErrorBody }
 *   | { kind: "failed", error: unknown }} State
 */

/** Sends "change" when its state or its picture does. */
export class Scan extends EventTarget {
  /** @type {State} */
  state = { kind: "waiting" };
  /** The picture, null while it is read, "none" if neither browser nor server can draw it. @type {ImageBitmap | null | "none"} */
  picture = null;
  /** Hounsfield units; null is the server's own choice. @type {Window | null} */
  window = null;
  /** The class that the user gave, once the server has it. @type {{ class: string, right: boolean } | null} */
  feedback = null;

  /** @param {Blob} content @param {string} name */
  constructor(content, name) {
    super();
    this.id = unique("scan");
    this.content = content;
    this.name = name;
    this.read();
  }

  /** @param {State} state */
  become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Window} window */
  setWindow(window) {
    this.window = window;
    this.read();
  }

  async read() {
    const { window } = this;
    const picture = await this.#browsers() ?? await this.#servers(window) ?? "none";
    // Another window may have been chosen in the meantime.
    if (window !== this.window) return;
    this.picture = picture;
    this.dispatchEvent(new Event("change"));
  }

  /** The picture as drawn by the browser. */
  async #browsers() {
    return await createImageBitmap(this.content).catch(() => null);
  }

  /** The picture as drawn by the server: DICOM through a window, TIFF. @param {Window | null} window */
  async #servers(window) {
    const query = window ? `?${new URLSearchParams({ window: `${window.centre},${window.width}` })}` : "";
    try {
      const headers = { "content-type": "application/octet-stream" };
      const drawn = await ask(`/v1/rendered${query}`, { method: "POST", body: this.content, headers });
      return await createImageBitmap(await drawn.blob());
    } catch {
      // Its answer to the prediction contains the error.
      return null;
    }
  }

  /** Whether a window in Hounsfield units applies to it. */
  async isDicom() {
    const head = new Uint8Array(await this.content.slice(128, 132).arrayBuffer());
    return String.fromCharCode(...head) === "DICM" || /\.(dcm|dicom)$/iu.test(this.name);
  }
}
