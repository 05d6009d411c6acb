// One scan that a person gave, and what became of it.

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

/** Says "change" when its state or its picture does. */
export class Scan extends EventTarget {
  /** @type {State} */
  state = { kind: "waiting" };
  /** The picture, null while it is read, "none" where the browser cannot draw the format. @type {ImageBitmap | null | "none"} */
  picture = null;
  /** Hounsfield units; null is the server's own choice. @type {Window | null} */
  window = null;
  /** The class that a person gave, once the server has it. @type {{ class: string, right: boolean } | null} */
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

  async read() {
    try {
      this.picture = await createImageBitmap(this.content);
    } catch {
      this.picture = "none";
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Whether a window in Hounsfield units means anything to it. */
  async isDicom() {
    const head = new Uint8Array(await this.content.slice(128, 132).arrayBuffer());
    return String.fromCharCode(...head) === "DICM" || /\.(dcm|dicom)$/i.test(this.name);
  }
}
