// Window and level of an 8-bit picture: the range of grey values shown from black to white.

/** Centre and width, in grey values from 0 to 255. @typedef {{ centre: number, width: number }} GreyWindow */

/** @type {Readonly<GreyWindow>} */
export const WHOLE_RANGE = { centre: 127.5, width: 255 };

/**
 * The displayed value of each grey value: linear between the window's edges, black below, white above.
 * @param {GreyWindow} window
 * @returns {Uint8ClampedArray} 256 values
 */
export function lookupTable({ centre, width }) {
  const low = centre - width / 2;
  return Uint8ClampedArray.from({ length: 256 }, (_, grey) => (255 * (grey - low)) / width);
}

/**
 * @param {ImageData} source
 * @param {GreyWindow} window
 * @returns {ImageData} each channel through the window; opacity unchanged
 */
export function windowed(source, window) {
  const table = lookupTable(window);
  const out = new ImageData(source.width, source.height);
  for (let at = 0; at < source.data.length; at += 4) {
    for (let channel = at; channel < at + 3; channel += 1) {
      out.data[channel] = table[source.data[channel] ?? 0] ?? 0;
    }
    out.data[at + 3] = source.data[at + 3] ?? 255;
  }
  return out;
}

/**
 * The number of pixels of each grey value (the mean of the channels), in 64 bins.
 * @param {ImageData} source
 * @returns {number[]}
 */
export function greyHistogram(source) {
  const bins = Array.from({ length: 64 }, () => 0);
  for (let at = 0; at < source.data.length; at += 4) {
    const sum = (source.data[at] ?? 0) + (source.data[at + 1] ?? 0) + (source.data[at + 2] ?? 0);
    const bin = Math.min(63, Math.floor(sum / 12));
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  return bins;
}
