// The key that the server may require: requested in the page, and kept only for this tab.

import { announce } from "./announce.js";
import { byId, h, unique } from "./dom.js";

const NAME = "hounsfield-key";

/** The key in use, if any. If the browser stores nothing it lasts as long as the page. */
let key = stored();

/** Resolves when there is a key; only one question is open at a time. @type {Promise<void> | null} */
let asked = null;

function stored() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}

/** @param {string | null} next */
function keep(next) {
  key = next;
  try {
    if (next === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, next);
  } catch {
    // Kept only in `key`.
  }
  byId("key-change").hidden = next === null;
}

export const presentKey = () => key;

/**
 * Asks for a key; resolves when there is one that was not `refused`.
 * @param {string | null} refused the key that the server rejected
 * @returns {Promise<void>}
 */
export function askForKey(refused) {
  // Another request may have been answered with a newer key in the meantime.
  if (key !== refused && key !== null) return Promise.resolve();
  asked ??= question(refused !== null).finally(() => {
    asked = null;
  });
  return asked;
}

/** @param {boolean} wasRefused @returns {Promise<void>} */
function question(wasRefused) {
  return new Promise((resolve) => {
    const id = unique("key");
    const field = h("input", { id, type: "password", autocomplete: "off", spellcheck: "false", placeholder: "hk_…", required: true, "aria-describedby": `${id}-help` });
    const form = h("form", { class: "banner key", "aria-labelledby": `${id}-title`, onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const entered = field.value.trim();
      if (entered === "") return;
      keep(entered);
      form.remove();
      resolve();
    } },
      h("div", {},
        h("h2", { id: `${id}-title` }, wasRefused ? "The server did not take this key" : "This server wants a key"),
        h("p", { id: `${id}-help` }, wasRefused
          ? "It may be mistyped, expired or withdrawn. Try another, or ask whoever runs the server."
          : "Whoever runs the server can give you one. It is kept until this tab is closed.")),
      h("div", { class: "field" }, h("label", { for: id }, "Key"), h("div", { class: "joined" }, field, h("button", { type: "submit" }, "Use key"))));
    byId("banners").append(form);
    announce(wasRefused ? "The server did not take this key." : "This server wants a key.");
    if (document.activeElement === document.body || wasRefused) field.focus();
  });
}

/** Lets the user enter another key. */
export function startKeys() {
  const button = byId("key-change");
  button.hidden = key === null;
  button.addEventListener("click", () => {
    keep(null);
    location.reload();
  });
}
