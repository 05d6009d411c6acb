// A question before an action that changes the server.

import { h } from "./dom.js";

/**
 * @param {{ heading: string, words: string, act: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ heading, words, act }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "dialog narrow", "aria-labelledby": "confirm-heading" },
      h("h2", { id: "confirm-heading" }, heading),
      h("p", {}, words),
      h("div", { class: "row end" },
        h("button", { type: "button", class: "quiet", autofocus: true, onclick: () => dialog.close("no") }, "Cancel"),
        h("button", { type: "button", onclick: () => dialog.close("yes") }, act)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
