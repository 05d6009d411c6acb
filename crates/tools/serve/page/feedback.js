// "This is right", "this is wrong": the user's feedback on an answer.

import { postJson } from "./api.js";
import { announce } from "./announce.js";
import { h, icon, unique } from "./dom.js";
import { failure } from "./errors.js";
import { className } from "./format.js";
import { presentModel } from "./model.js";

const NOTE_LENGTH = 2000;

/**
 * @typedef {object} Given
 * @property {string} class
 * @property {boolean} right
 * @property {string | null} [missing] why a training cannot use it
 *
 * @typedef {object} Subject
 * @property {string} predictionId
 * @property {string | null} predicted null where the server refused the picture
 * @property {Given | null} given
 * @property {(given: Given) => void} onGiven
 */

/** @param {Subject} subject */
export function feedbackForm(subject) {
  const box = h("div", { class: "feedback" });
  const { predicted } = subject;

  /** @param {string} name @param {string} note */
  const give = async (name, note) => {
    box.setAttribute("aria-busy", "true");
    try {
      const kept = await postJson("/v1/feedback", { prediction_id: subject.predictionId, class: name, ...(note === "" ? {} : { note }) });
      subject.given = { class: name, right: name === predicted, missing: kept.missing };
      thanks();
      announce("Your word is kept.");
      subject.onGiven(subject.given);
    } catch (error) {
      box.querySelector(".failure")?.remove();
      box.append(failure("Your word could not be kept", error));
    } finally {
      box.removeAttribute("aria-busy");
    }
  };

  const question = () => {
    box.replaceChildren(
      h("p", { class: "label" }, predicted === null ? "Refused by mistake?" : "Do you know better?"),
      h("div", { class: "row" },
        predicted !== null && h("button", { type: "button", class: "quiet", onclick: () => give(predicted, "") }, icon("tick"), "This is right"),
        h("button", { type: "button", class: "quiet", onclick: correct }, predicted !== null && icon("cross"), predicted === null ? "Say what it shows" : "This is wrong")));
  };

  const correct = async () => {
    let model;
    try {
      model = await presentModel();
    } catch (error) {
      box.append(failure("The classes could not be read", error, correct));
      return;
    }
    const [choice, note] = [unique("right-class"), unique("note")];
    const select = h("select", { id: choice, required: true },
      h("option", { value: "" }, "Choose…"),
      ...model.classes.filter((name) => name !== predicted).map((name) => h("option", { value: name }, className(name))));
    const text = h("textarea", { id: note, rows: 2, maxlength: NOTE_LENGTH });
    box.replaceChildren(h("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      give(select.value, text.value.trim());
    } },
      h("div", { class: "field" }, h("label", { for: choice }, "The right class"), select),
      h("div", { class: "field" }, h("label", { for: note }, "Note ", h("span", { class: "fine" }, "(optional; no names of patients)")), text),
      model.store_images !== "never" && h("p", { class: "fine" }, `The scan itself is then stored for ${model.retention_days} days.`),
      h("div", { class: "row" },
        h("button", { type: "submit" }, "Keep"),
        h("button", { type: "button", class: "quiet", onclick: subject.given ? thanks : question }, "Cancel"))));
    select.focus();
  };

  const thanks = () => {
    const { given } = subject;
    if (!given) return question();
    box.replaceChildren(
      h("p", { class: "given" },
        icon("tick"),
        h("span", {}, given.right ? "You said that this is right." : `You said that this is ${className(given.class)}.`),
        h("button", { type: "button", class: "quiet", onclick: correct }, "Change")),
      ...(given.missing ? [h("p", { class: "fine missing" }, `No training will learn from it: ${given.missing}.`)] : []));
  };

  thanks();
  return box;
}
