// The model's answer for one scan.

import { checkList } from "./checks.js";
import { classBars, positiveScale } from "./class-bars.js";
import { confidenceInWords, confidenceScale } from "./confidence.js";
import { h, icon } from "./dom.js";
import { classTitle, localTime, milliseconds, percent, shortDigest } from "./format.js";
import { feedbackForm } from "./feedback.js";

/**
 * @import { Checks, ErrorBody, Prediction } from "./contract.js"
 * @import { Scan } from "./scan.js"
 */

/** @param {Scan} scan @param {Prediction} prediction */
export function answerPanel(scan, prediction) {
  const { checks, positive } = prediction;
  return h("div", { class: "answer" },
    checks && !checks.accepted && h("div", { class: "flag", role: "note" }, icon("alert"),
      h("p", {}, h("strong", {}, "This does not look like the scans the model knows."), " The server flags such pictures and answers all the same: do not rely on it.")),
    prediction.class !== null && prediction.confidence !== null && h("header", {},
      h("p", { class: "label" }, "The model's first class"),
      h("h2", { class: "first-class" }, classTitle(prediction.class)),
      h("p", { class: "confidence" },
        h("span", { class: "words" }, `The model is ${confidenceInWords(prediction.confidence)}`),
        h("span", { class: "figure" }, percent(prediction.confidence)))),
    classBars(prediction.probabilities),
    confidenceScale(),
    positive && h("section", {}, h("h3", {}, "Is it positive?"), positiveScale(positive, prediction.class)),
    checks && h("section", {}, h("h3", {}, "Is it a scan the model knows?"), checkList(checks)),
    prediction.stored === false
      ? h("p", { class: "fine" }, "This answer was not stored, because the database cannot be used now. It cannot be corrected; send the scan again later.")
      : feedbackForm({ predictionId: prediction.id, predicted: prediction.class, given: scan.feedback, onGiven: (given) => {
        scan.feedback = given;
      } }),
    provenance(prediction));
}

/** @param {Prediction} prediction */
function provenance({ id, created_at, model, image, timings_ms: timings }) {
  const pair = (/** @type {string} */ name, /** @type {import("./dom.js").Child} */ value) => [h("dt", {}, name), h("dd", {}, value)];
  return h("details", { class: "fold" },
    h("summary", {}, "How it was made"),
    h("dl", { class: "pairs" },
      ...pair("Model", `${model.name}${model.version ? ` version ${model.version}` : ""}, ${shortDigest(model.digest)}`),
      ...pair("Picture", `${image.format.toUpperCase()}, ${image.width} × ${image.height}, ${image.colour_mode}`),
      ...(image.window ? pair("Window", `centre ${image.window.centre} HU, width ${image.window.width} HU`) : []),
      ...pair("Digest", h("code", {}, image.sha256)),
      ...pair("Time", `decode ${milliseconds(timings.decode)}, wait ${milliseconds(timings.wait)}, model ${milliseconds(timings.inference)}, in all ${milliseconds(timings.total)}`),
      ...pair("Asked", localTime(created_at)),
      ...pair("Prediction", h("code", {}, id))));
}

/** @param {Scan} scan @param {ErrorBody} error */
export function refusalPanel(scan, error) {
  const { checks, id } = error;
  return h("div", { class: "refusal" },
    h("header", {},
      h("p", { class: "label" }, "Refused"),
      h("h2", { class: "first-class" }, "Not a scan the model knows"),
      h("p", {}, `${failedInWords(checks)} A class for it would mean nothing, so none is given.`)),
    checks && checkList(checks),
    h("section", {},
      h("h3", {}, "What to do"),
      h("ul", { class: "advice" },
        h("li", {}, "Send a scan of the kind the model was trained on; the samples show some."),
        h("li", {}, "Screenshots with frames or text, photographs of a screen and coloured overlays are refused: export the scan itself."))),
    id && feedbackForm({ predictionId: id, predicted: null, given: scan.feedback, onGiven: (given) => {
      scan.feedback = given;
    } }));
}

/** @param {Checks | undefined} checks */
function failedInWords(checks) {
  if (!checks) return "The picture does not look like the scans the model was trained on.";
  const failed = [
    !checks.grey_histogram.passed && "its grey values",
    !checks.features.passed && "what the model sees in it",
  ].filter((words) => words !== false);
  return `The picture differs from the scans the model was trained on in ${failed.join(" and in ")}.`;
}
