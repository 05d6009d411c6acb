// One place of the page at a time, by the address after `#`.

import { announce } from "./announce.js";
import { byId } from "./dom.js";

/**
 * @typedef {object} Place
 * @property {string} title
 * @property {HTMLElement} element holds an `h1`
 * @property {(query: URLSearchParams, signal: AbortSignal) => void} enter the signal ends when the place is left
 */

/** @type {AbortController | null} */
let present = null;

/**
 * @param {Record<string, () => Place>} places made when they are first entered
 * @param {string} first the place for an unknown address
 */
export function startRouter(places, first) {
  /** @type {Map<string, Place>} */
  const made = new Map();
  let shown = "";

  const go = () => {
    const address = location.hash;
    if (address !== "" && !address.startsWith("#/")) return;
    const [path = "", query = ""] = address.slice(2).split("?");
    const name = path in places ? path : first;
    const place = made.get(name) ?? places[name]?.();
    if (!place) return;
    made.set(name, place);
    present?.abort();
    present = new AbortController();
    byId("outlet").replaceChildren(place.element);
    document.title = `${place.title} · Hounsfield`;
    for (const link of document.querySelectorAll("#places a")) {
      if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (shown !== "" && shown !== name) {
      announce(place.title);
      scrollTo(0, 0);
      place.element.querySelector("h1")?.focus({ preventScroll: true });
    }
    shown = name;
    place.enter(new URLSearchParams(query), present.signal);
  };
  addEventListener("hashchange", go);
  go();
  return go;
}
