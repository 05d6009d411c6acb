// Training again with the corrections: start, stages, log and outcome, as they happen.

import { askJson, postJson, ServerError } from "./api.js";
import { announce } from "./announce.js";
import { confirmed } from "./confirm.js";
import { correctionPanel } from "./corrections.js";
import { h, icon } from "./dom.js";
import { failure, toldElsewhere } from "./errors.js";
import { serverEvents } from "./events.js";
import { localTime } from "./format.js";
import { freshModel, presentModel } from "./model.js";
import { mayAdminister } from "./session.js";

/** @import { FeedbackSummary, Training } from "./contract.js" */

const LINES_KEPT = 500;
const RECONNECT_MS = 2000;

/** @type {Record<Training["state"], string>} */
const STATE_WORDS = { idle: "No training since the server started", running: "Training", succeeded: "Training done", failed: "Training failed" };

/** @returns {import("./router.js").Place} */
export function trainingPlace() {
  const problem = h("div", {});
  const state = h("div", { class: "card training-state" }, h("div", { class: "skeleton title" }), h("div", { class: "skeleton line" }));
  const log = h("pre", { class: "log", tabindex: 0, role: "log", "aria-label": "Log of the training", "aria-live": "off" });
  const start = h("button", { type: "button", onclick: () => begin() }, "Train again");
  const needsAdmin = h("p", { class: "fine" }, "Starting one needs an admin key.");
  const isOff = h("p", { class: "fine" }, "This server starts no trainings (serve.training is off).");
  const corrections = h("div", {});
  /** @type {AbortSignal} */
  let present = AbortSignal.abort();
  /** @type {Training["state"] | null} */
  let last = null;

  /** @param {string[]} lines */
  const write = (lines) => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    log.append(...lines.map((line) => `${line}\n`));
    while (log.childNodes.length > LINES_KEPT) log.firstChild?.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  };

  /** @param {Training} training */
  const draw = (training) => {
    state.replaceChildren(...stateParts(training));
    start.disabled = training.state === "running";
    log.hidden = training.state === "idle";
    if (last !== null && last !== training.state) {
      announce(STATE_WORDS[training.state]);
      if (training.outcome?.promoted) freshModel().catch(toldElsewhere);
    }
    last = training.state;
  };

  const begin = async () => {
    const { training } = await presentModel();
    const sure = await confirmed({
      heading: "Train again?",
      words: training === "job" ? "Another machine trains with the corrections so far. Its model answers here once it is the registry's champion." : "The whole pipeline runs on this server's machine with the corrections so far; answers may be slower until it is done. The new model takes over only if it passes the promotion gate.",
      act: "Train",
    });
    if (!sure) return;
    problem.replaceChildren();
    try {
      await postJson("/train");
      log.replaceChildren();
      await read(present);
    } catch (error) {
      problem.replaceChildren(failure("The training was not started", error));
      // Another user may have started one.
      if (error instanceof ServerError && error.status === 409) await read(present);
    }
  };

  /** @param {AbortSignal} signal */
  const read = async (signal) => {
    /** @type {Training} */
    const training = await askJson("/train", { signal });
    log.replaceChildren();
    draw(training);
    write(training.log);
  };

  /** @param {AbortSignal} signal */
  const follow = async (signal) => {
    try {
      await read(signal);
      const [may, model] = await Promise.all([mayAdminister(signal), presentModel()]);
      start.hidden = !may || model.training === "off";
      needsAdmin.hidden = may;
      isOff.hidden = model.training !== "off";
      /** @type {FeedbackSummary} */
      const summary = await askJson("/v1/feedback/summary", { signal });
      corrections.replaceChildren(correctionPanel(summary, false));
      while (!signal.aborted) {
        for await (const { event, data } of serverEvents("/train/events", signal)) {
          if (event === "log") write([JSON.parse(data).line]);
          if (event === "state") draw(JSON.parse(data));
        }
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
        if (!signal.aborted) await read(signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      problem.replaceChildren(failure("The training could not be followed", error, () => {
        problem.replaceChildren();
        follow(signal);
      }));
      if (last === null) state.replaceChildren();
    }
  };

  const element = h("section", { class: "place" },
    h("div", { class: "place-top" }, h("h1", { tabindex: -1 }, "Training"), start),
    h("p", { class: "lead" }, "A new model from the corrections that people gave."),
    needsAdmin,
    isOff,
    problem,
    h("div", { class: "columns" }, state, corrections),
    log);
  log.hidden = true;
  start.hidden = true;
  needsAdmin.hidden = true;
  isOff.hidden = true;
  return { title: "Training", element, enter(_query, signal) {
    present = signal;
    problem.replaceChildren();
    follow(signal);
  } };
}

/** @param {Training} training @returns {Node[]} */
function stateParts(training) {
  const { outcome } = training;
  return [
    h("h2", {}, h("span", { class: `lamp ${training.state}`, "aria-hidden": "true" }), STATE_WORDS[training.state], training.state === "running" && training.stage ? `: ${training.stage}` : ""),
    training.started_at && h("p", { class: "fine" }, `Started ${localTime(training.started_at)}${training.finished_at ? `, ended ${localTime(training.finished_at)}` : ""}.`),
    training.state === "idle" && h("p", {}, "When one runs, its stages and its log are seen here, live."),
    outcome && h("p", { class: outcome.promoted ? "outcome promoted" : "outcome" }, icon(outcome.promoted ? "tick" : "alert"),
      h("span", {}, h("strong", {}, outcome.promoted ? "The new model answers now." : "The model before stays."), " ", `${outcome.reason.charAt(0).toUpperCase()}${outcome.reason.slice(1)}.`)),
    training.stages.length > 0 && h("ol", { class: "stages" }, ...training.stages.map((stage) =>
      h("li", { class: stage.state, "aria-current": stage.state === "running" ? "step" : null },
        h("span", { class: "lamp", "aria-hidden": "true" }), h("span", {}, stage.name), h("span", { class: "fine" }, stage.state)))),
  ].filter((part) => part instanceof Node);
}
