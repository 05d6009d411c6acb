// The picture: its canvas, and how wheel, pointers and keys move it. Its controls are in viewer-controls.js.

import { h } from "./dom.js";
import { WHOLE_RANGE, windowed } from "./grey-window.js";
import { fitted, panned, zoomed } from "./viewpoint.js";

/**
 * @import { GreyWindow } from "./grey-window.js"
 * @import { Viewpoint } from "./viewpoint.js"
 * @typedef {"pan" | "window"} Drag
 */

const STEP = 1.25;
const ARROW_PIXELS = 40;

/** Sends "view" when the magnification changes, "window" when a drag changes the grey window. */
export class Viewer extends EventTarget {
  canvas = h("canvas", { tabindex: 0, role: "application" });
  /** @type {Drag} */
  drag = "pan";
  /** @type {GreyWindow} */
  greyWindow = { ...WHOLE_RANGE };
  heatOpacity = 0.5;
  /** @type {ImageData | null} */
  pixels = null;

  /** The picture through the window. */
  #shown = new OffscreenCanvas(1, 1);
  /** @type {ImageBitmap | null} */
  #heat = null;
  /** Pixels of the picture, or of the heat if there is no picture. */
  #size = { width: 0, height: 0 };
  /** @type {Viewpoint | null} null shows the whole picture, whatever the frame's size. */
  #viewpoint = null;
  /** @type {Map<number, { x: number, y: number }>} */
  #pointers = new Map();
  #due = false;

  constructor() {
    super();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoomAt(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), event.offsetX, event.offsetY);
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    });
    this.canvas.addEventListener("pointermove", (event) => this.#moved(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
      this.canvas.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    }
    this.canvas.addEventListener("dblclick", () => this.fit());
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {ImageBitmap | null} picture
   * @param {ImageBitmap | null} heat
   * @param {string} description for users who do not see it
   */
  show(picture, heat, description) {
    const size = picture ?? heat ?? { width: 0, height: 0 };
    if (size.width !== this.#size.width || size.height !== this.#size.height) this.#viewpoint = null;
    this.#size = { width: size.width, height: size.height };
    this.#heat = heat;
    this.pixels = null;
    if (picture) {
      const canvas = new OffscreenCanvas(picture.width, picture.height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context?.drawImage(picture, 0, 0);
      this.pixels = context?.getImageData(0, 0, picture.width, picture.height) ?? null;
    }
    this.canvas.setAttribute("aria-label", `${description} Arrow keys move it, plus and minus zoom, 0 shows the whole.`);
    this.setWindow(this.greyWindow);
  }

  /** @param {GreyWindow} window */
  setWindow(window) {
    this.greyWindow = window;
    if (this.pixels) {
      this.#shown = new OffscreenCanvas(this.pixels.width, this.pixels.height);
      this.#shown.getContext("2d")?.putImageData(windowed(this.pixels, window), 0, 0);
    }
    this.draw();
  }

  /** @param {number} opacity 0 to 1 */
  setHeat(opacity) {
    this.heatOpacity = opacity;
    this.draw();
  }

  fit() {
    this.#viewpoint = null;
    this.draw();
    this.dispatchEvent(new Event("view"));
  }

  /** @param {"in" | "out"} direction */
  zoom(direction) {
    const frame = this.#frame();
    this.#zoomAt(direction === "in" ? STEP : 1 / STEP, frame.width / 2, frame.height / 2);
  }

  /** Screen pixels a picture pixel. */
  get scale() {
    return this.#place().scale;
  }

  #frame() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  #place() {
    return this.#viewpoint ?? fitted(this.#frame(), this.#size);
  }

  /** @param {number} factor @param {number} x @param {number} y */
  #zoomAt(factor, x, y) {
    if (this.#size.width === 0) return;
    this.#viewpoint = zoomed(this.#place(), factor, x, y, this.#frame(), this.#size);
    this.draw();
    this.dispatchEvent(new Event("view"));
  }

  /** @param {number} dx @param {number} dy */
  #pan(dx, dy) {
    if (this.#size.width === 0) return;
    this.#viewpoint = panned(this.#place(), dx, dy, this.#frame(), this.#size);
    this.draw();
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.offsetX, y: event.offsetY };
    this.#pointers.set(event.pointerId, now);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (/** @type {{ x: number, y: number }} */ from) => Math.hypot(from.x - other.x, from.y - other.y);
      this.#zoomAt(apart(now) / Math.max(1, apart(before)), (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else if (this.drag === "pan") {
      this.#pan(now.x - before.x, now.y - before.y);
    } else {
      const { centre, width } = this.greyWindow;
      this.setWindow({
        centre: Math.min(255, Math.max(0, centre - (now.y - before.y) / 2)),
        width: Math.min(255, Math.max(1, width + (now.x - before.x) / 2)),
      });
      this.dispatchEvent(new Event("window"));
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, () => void>} */
    const actions = {
      "+": () => this.zoom("in"),
      "=": () => this.zoom("in"),
      "-": () => this.zoom("out"),
      "0": () => this.fit(),
      ArrowLeft: () => this.#pan(ARROW_PIXELS, 0),
      ArrowRight: () => this.#pan(-ARROW_PIXELS, 0),
      ArrowUp: () => this.#pan(0, ARROW_PIXELS),
      ArrowDown: () => this.#pan(0, -ARROW_PIXELS),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Draws at the next frame, once even after several calls. */
  draw() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#paint();
    });
  }

  #paint() {
    const { canvas } = this;
    const density = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * density));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * density));
    const context = canvas.getContext("2d");
    if (!context || this.#size.width === 0) return;
    const { scale, x, y } = this.#place();
    context.scale(density, density);
    // At a high magnification pixels are shown without smoothing.
    context.imageSmoothingEnabled = scale < 8;
    context.imageSmoothingQuality = "high";
    const width = this.#size.width * scale;
    const height = this.#size.height * scale;
    if (this.pixels) context.drawImage(this.#shown, x, y, width, height);
    if (this.#heat && this.heatOpacity > 0) {
      context.imageSmoothingEnabled = true;
      context.globalAlpha = this.heatOpacity;
      context.drawImage(this.#heat, x, y, width, height);
    }
  }
}
