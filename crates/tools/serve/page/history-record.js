// One record of the history, opened.

import { askBlob, askJson } from "./api.js";
import { classBars } from "./class-bars.js";
import { confidenceInWords } from "./confidence.js";
import { h, icon } from "./dom.js";
import { failure } from "./errors.js";
import { feedbackForm } from "./feedback.js";
import { classTitle, localTime, milliseconds, percent, shortDigest } from "./format.js";

/** @import { Row } from "./contract.js" */

/** @param {Row} listed @param {() => void} changed */
export function openRecord(listed, changed) {
  const body = h("div", { class: "record" }, h("div", { class: "skeleton title" }), h("div", { class: "skeleton line" }));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": "record-heading" },
    h("header", { class: "dialog-top" },
      h("h2", { id: "record-heading" }, listed.file ?? "Without a name"),
      h("button", { type: "button", class: "icon-only quiet", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"))),
    body);
  let touched = false;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (touched) changed();
  });
  document.body.append(dialog);
  dialog.showModal();

  const load = async () => {
    try {
      /** @type {Row} */
      const row = await askJson(`/v1/predictions/${encodeURIComponent(listed.id)}`);
      body.replaceChildren(...recordParts(row, () => {
        touched = true;
      }));
    } catch (error) {
      body.replaceChildren(failure("This record could not be read", error, load));
    }
  };
  load();
}

/** @param {Row} row @param {() => void} onFeedback */
function recordParts(row, onFeedback) {
  const pair = (/** @type {string} */ name, /** @type {import("./dom.js").Child} */ value) => [h("dt", {}, name), h("dd", {}, value)];
  return [
    row.image_url === null ? h("p", { class: "fine" }, "The picture was not stored.") : storedPicture(row.image_url),
    row.class === null || row.confidence === null
      ? h("p", {}, h("span", { class: "tag bad" }, "refused"), " Not a scan the model knows; it has no class.")
      : h("p", { class: "confidence" }, h("strong", {}, classTitle(row.class)), h("span", { class: "words" }, `The model was ${confidenceInWords(row.confidence)}`), h("span", { class: "figure" }, percent(row.confidence))),
    row.probabilities.length > 0 && classBars(row.probabilities),
    row.feedback?.note && h("blockquote", {}, row.feedback.note),
    feedbackForm({ predictionId: row.id, predicted: row.class, given: row.feedback, onGiven: onFeedback }),
    h("dl", { class: "pairs" },
      ...pair("Asked", localTime(row.created_at)),
      ...pair("Model", h("code", {}, shortDigest(row.model_digest))),
      ...pair("Model time", milliseconds(row.inference_ms)),
      ...pair("Picture", h("code", {}, row.image_sha256)),
      ...pair("Prediction", h("code", {}, row.id))),
  ].filter((part) => part instanceof Node);
}

/** @param {string} url */
function storedPicture(url) {
  const box = h("div", { class: "stored-picture skeleton" });
  askBlob(url).then(async (blob) => {
    const picture = h("img", { alt: "The scan as it was sent", src: URL.createObjectURL(blob) });
    box.classList.remove("skeleton");
    try {
      await picture.decode();
      box.replaceChildren(picture);
    } catch {
      box.replaceChildren(h("p", { class: "fine" }, "This browser cannot draw the stored file."));
    }
  }, (error) => {
    box.classList.remove("skeleton");
    box.replaceChildren(failure("The picture could not be read", error));
  });
  return box;
}
