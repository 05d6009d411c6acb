// The model: its description, its training and test data, its permitted use; and the rollback to the previous one.

import { postJson } from "./api.js";
import { announce } from "./announce.js";
import { confirmed } from "./confirm.js";
import { h } from "./dom.js";
import { failure, toldElsewhere } from "./errors.js";
import { classTitle, className, decimal, localTime, percent, shortDigest, whole } from "./format.js";
import { freshModel, keepingInWords, modelIs } from "./model.js";
import { mayAdminister } from "./session.js";

/** @import { Model, Scores } from "./contract.js" */

/** @returns {import("./router.js").Place} */
export function modelPlace() {
  const body = h("div", { class: "model-card" }, h("div", { class: "skeleton title" }), h("div", { class: "skeleton line" }), h("div", { class: "skeleton line" }));
  const load = async () => {
    try {
      draw(await freshModel());
    } catch (error) {
      body.replaceChildren(failure("The model card could not be read", error, load));
    }
  };
  /** @param {Model} model */
  const draw = (model) => {
    body.replaceChildren(
      h("div", { class: "columns" },
        h("section", { class: "card" }, h("h2", {}, "What it is"), identity(model)),
        h("section", { class: "card" }, h("h2", {}, "What it is for"), use(model))),
      scoreSection(model.scores),
      previousSection(model, draw));
  };
  const element = h("section", { class: "place" },
    h("h1", { tabindex: -1 }, "Model"),
    h("p", { class: "lead" }, "The model that answers now, and what its answers are worth."),
    body);
  return { title: "Model", element, enter: load };
}

/** @param {Model} model */
function identity(model) {
  const pair = (/** @type {string} */ name, /** @type {import("./dom.js").Child} */ value) => [h("dt", {}, name), h("dd", {}, value)];
  return h("dl", { class: "pairs" },
    ...pair("Name", `${model.name}${model.version ? `, version ${model.version}` : ", not registered"}`),
    ...pair("Weights", h("code", {}, model.digest)),
    ...(model.ensemble.length > 0
      ? pair("Ensemble", h("ul", { class: "members" }, ...model.ensemble.map(memberInWords)))
      : [
        ...pair("Trained", `run ${model.trained.run}, epoch ${model.trained.epoch}, ${model.trained.checkpoint}`),
        ...pair("Validation", `accuracy ${percent(model.trained.valid_accuracy)}, loss ${decimal(model.trained.valid_loss)}`),
        ...pair("Input", `${model.image_size} × ${model.image_size} pixels`)]),
    ...pair("Runs on", model.device.includes(model.precision) ? model.device : `${model.device}, ${model.precision}`),
    ...pair("Calibration", model.calibration
      ? `temperature ${decimal(model.calibration.temperature)}${calibrationError(model.calibration.expected_calibration_error)}`
      : "none: probabilities are the raw ones of the network"),
    ...pair("Loaded", localTime(model.loaded_at)));
}

/** @param {import("./contract.js").Member} member */
const memberInWords = ({ name, architecture, weight }) => h("li", {}, `${name}: ${architecture}, ${percent(weight)} of the answer`);

/** @param {{ before: number | null, after: number | null }} error */
const calibrationError = ({ before, after }) => (before === null || after === null ? "" : `; expected error ${percent(before)} before, ${percent(after)} after`);

/** @param {Model} model */
function use(model) {
  return h("ul", { class: "advice" },
    h("li", {}, h("strong", {}, model.notice), " No decision about a person may rest on it."),
    h("li", {}, `It chooses among ${model.classes.length} classes and knows no other: ${model.classes.map(className).join(", ")}.`),
    model.positive.length > 0 && h("li", {}, `Counted as positive: ${model.positive.map(className).join(", ")}.`),
    h("li", {}, model.foreign_images === "refuse" ? "Pictures unlike its training scans are refused." : "Pictures unlike its training scans are flagged, and answered all the same."),
    h("li", {}, keepingInWords(model)));
}

/** @param {Scores | null} scores */
function scoreSection(scores) {
  if (!scores) {
    return h("section", { class: "card" }, h("h2", {}, "What its answers are worth"),
      h("p", {}, "This model has not been scored: there is no evaluation that belongs to these weights."),
      h("p", { class: "fine" }, "The evaluate stage makes one."));
  }
  const range = (/** @type {string} */ name) => {
    const interval = scores.intervals?.[name];
    return isInterval(interval) ? `95 % interval ${decimal(interval.low, 2)}–${decimal(interval.high, 2)}` : "";
  };
  const figure = (/** @type {string} */ label, /** @type {number | undefined} */ value, /** @type {string} */ words) =>
    value !== undefined && h("div", { class: "figure-box" }, h("dt", {}, label), h("dd", {}, h("span", { class: "big" }, decimal(value)), h("span", { class: "fine" }, words)));
  const cell = (/** @type {number | null} */ value) => h("td", { class: "number" }, value === null ? "–" : decimal(value));
  return h("section", { class: "card" },
    h("h2", {}, "What its answers are worth"),
    scores.worth && h("p", {}, scores.worth.in_words),
    scores.worth && h("p", { class: "fine" }, `${whole(scores.images)} test images, ${scores.worth.unit}.`),
    h("dl", { class: "figures" },
      figure("Accuracy", scores.accuracy, range("accuracy")),
      figure("Balanced accuracy", scores.balanced_accuracy, range("balanced_accuracy")),
      figure("AUROC", scores.auroc, range("auroc")),
      figure("Calibration error", scores.expected_calibration_error, "expected; 0 is best")),
    scores.classes && h("div", { class: "table-box", tabindex: 0, role: "region", "aria-label": "Scores of each class" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Class"), ...["Precision", "Recall", "Specificity", "AUROC", "Images"].map((name) => h("th", { scope: "col", class: "number" }, name)))),
      h("tbody", {}, ...Object.entries(scores.classes).map(([name, each]) => h("tr", {},
        h("th", { scope: "row" }, classTitle(name)), cell(each.precision), cell(each.recall), cell(each.specificity), cell(each.auroc), h("td", { class: "number" }, whole(each.support))))))));
}

/** @param {unknown} value @returns {value is { low: number, high: number }} */
function isInterval(value) {
  return typeof value === "object" && value !== null && "low" in value && "high" in value;
}

/** @param {Model} model @param {(model: Model) => void} draw */
function previousSection(model, draw) {
  const { previous } = model;
  if (model.follows_registry) {
    return h("section", { class: "card" }, h("h2", {}, "The model before"), h("p", {}, "This server follows the registry: it answers with the version that has the alias champion. Set the alias to another version there, and every server answers with it."));
  }
  if (!previous) {
    return h("section", { class: "card" }, h("h2", {}, "The model before"), h("p", {}, "There is none to go back to: this is the first since the server started."));
  }
  const needsAdmin = h("p", { class: "fine" }, "Going back to it needs an admin key.");
  const section = h("section", { class: "card" },
    h("h2", {}, "The model before"),
    h("p", {}, `${previous.name}${previous.version ? ` version ${previous.version}` : ""}, `, h("code", {}, shortDigest(previous.digest)), " is kept."),
    needsAdmin);
  const button = h("button", { type: "button", class: "quiet", onclick: async () => {
    const sure = await confirmed({
      heading: "Go back to the model before?",
      words: "Every request from now on is answered by it, for all who use this server. Answers given so far stay in the history with the model that gave them.",
      act: "Go back",
    });
    if (!sure) return;
    section.querySelector(".failure")?.remove();
    try {
      /** @type {Model} */
      const now = await postJson("/v1/model/rollback");
      modelIs(now);
      draw(now);
      announce("The model before answers now.");
    } catch (error) {
      section.append(failure("The server did not go back", error));
    }
  } }, "Go back to it");
  mayAdminister().then((may) => may && needsAdmin.replaceWith(button), toldElsewhere);
  return section;
}
