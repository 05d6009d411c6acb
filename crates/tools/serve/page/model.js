// The served model, shared by all parts of the page.

import { askJson } from "./api.js";
import { connection } from "./connection.js";
import { byId } from "./dom.js";
import { toldElsewhere } from "./errors.js";
import { counted, shortDigest } from "./format.js";

/** @import { Model } from "./contract.js" */

/** @type {Promise<Model> | null} */
let asked = null;

/** The model, requested once. @returns {Promise<Model>} */
export function presentModel() {
  asked ??= askJson("/v1/model").then(
    (model) => {
      tell(model);
      return model;
    },
    (error) => {
      asked = null;
      throw error;
    },
  );
  return asked;
}

/** Requests it again: another model may be served now. */
export function freshModel() {
  asked = null;
  return presentModel();
}

/** @param {Model} model a model from an answer */
export function modelIs(model) {
  asked = Promise.resolve(model);
  tell(model);
}

/** @param {Model} model What the server does with scans, as text. */
export function keepingInWords(model) {
  const days = counted(model.retention_days, "day");
  switch (model.store_images) {
    case "never":
      return "Scans are not stored; the numbers of each answer are.";
    case "feedback":
      return `A scan that you give feedback on is stored for ${days}; others are not.`;
    case "all":
      return `Every scan sent is stored for ${days}.`;
  }
}

/** @param {Model} model */
function tell(model) {
  byId("keeping").textContent = keepingInWords(model);
  byId("keeping").className = model.store_images === "never" ? "" : "kept";
  byId("model-line").textContent = `${model.name}${model.version ? ` version ${model.version}` : ""} · ${shortDigest(model.digest)}`;
}

/** Fills the footer's lines, and again when the server is back. */
export function startModelLine() {
  // A failure has its own banner, and every part that needs the model reports it itself.
  presentModel().catch(toldElsewhere);
  connection.addEventListener("back", () => {
    freshModel().catch(toldElsewhere);
  });
}
