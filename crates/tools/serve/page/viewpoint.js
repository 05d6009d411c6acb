// The position of a picture in its frame: its magnification and place. Only arithmetic, no drawing.

/** @typedef {{ scale: number, x: number, y: number }} Viewpoint scale in frame pixels a picture pixel; x, y the picture's corner */
/** @typedef {{ width: number, height: number }} Size */

const NEAREST = 24;

/** The whole picture, in the middle. @param {Size} frame @param {Size} picture @returns {Viewpoint} */
export function fitted(frame, picture) {
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height);
  return { scale, x: (frame.width - picture.width * scale) / 2, y: (frame.height - picture.height * scale) / 2 };
}

/**
 * Magnified by `factor`, keeping the point (x, y) of the frame in place.
 * @param {Viewpoint} from @param {number} factor @param {number} x @param {number} y @param {Size} frame @param {Size} picture
 * @returns {Viewpoint}
 */
export function zoomed(from, factor, x, y, frame, picture) {
  const least = fitted(frame, picture).scale / 2;
  const scale = Math.min(Math.max(from.scale * factor, least), NEAREST);
  const ratio = scale / from.scale;
  return held({ scale, x: x - (x - from.x) * ratio, y: y - (y - from.y) * ratio }, frame, picture);
}

/** @param {Viewpoint} from @param {number} dx @param {number} dy @param {Size} frame @param {Size} picture */
export function panned(from, dx, dy, frame, picture) {
  return held({ scale: from.scale, x: from.x + dx, y: from.y + dy }, frame, picture);
}

/** Keeps a corner of the picture in the frame. @param {Viewpoint} from @param {Size} frame @param {Size} picture @returns {Viewpoint} */
function held(from, frame, picture) {
  const margin = 48;
  const clamp = (/** @type {number} */ value, /** @type {number} */ length, /** @type {number} */ room) =>
    Math.min(Math.max(value, margin - length), room - margin);
  return {
    scale: from.scale,
    x: clamp(from.x, picture.width * from.scale, frame.width),
    y: clamp(from.y, picture.height * from.scale, frame.height),
  };
}
