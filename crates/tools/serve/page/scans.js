// The first place: the user's scans and their answers.

import { announce } from "./announce.js";
import { h, s } from "./dom.js";
import { failure, toldElsewhere } from "./errors.js";
import { picker, startIntake } from "./intake.js";
import { keepingInWords, presentModel } from "./model.js";
import { forget, send } from "./queue.js";
import { answerPanel, refusalPanel } from "./result.js";
import { sampleShelf } from "./samples.js";
import { pauseLeft, railEntry, stateInWords } from "./scan-rail.js";
import { Scan } from "./scan.js";
import { scanStage } from "./stage.js";

/** @returns {import("./router.js").Place} */
export function scansPlace() {
  /** @type {Map<Scan, ReturnType<typeof railEntry>>} */
  const entries = new Map();
  /** @type {Scan | null} */
  let chosen = null;

  const rail = h("ol", { class: "rail", "aria-label": "Scans" });
  const panel = h("section", { class: "panel", "aria-label": "Answer" });
  const stage = scanStage((scan, window) => {
    scan.setWindow(window);
    send(scan);
  });
  const keeping = h("p", { class: "fine" });
  presentModel().then((model) => {
    // If nothing is stored, the line at the foot already says so.
    keeping.textContent = model.store_images === "never" ? "" : keepingInWords(model);
  }, toldElsewhere);

  /** @param {{ content: Blob, name: string }[]} given */
  const add = (given) => {
    /** @type {Scan | undefined} */
    let first;
    for (const { content, name } of given) {
      const scan = new Scan(content, name);
      first ??= scan;
      const entry = railEntry(scan, { choose: () => choose(scan), remove: () => remove(scan) });
      entries.set(scan, entry);
      rail.append(entry.element);
      scan.addEventListener("change", () => changed(scan));
      send(scan);
    }
    if (!first) return;
    layOut();
    choose(first);
    announce(given.length === 1 ? `${given[0]?.name} is sent.` : `${given.length} scans are sent.`);
  };
  const take = (/** @type {File[]} */ files) => add(files.map((file) => ({ content: file, name: file.name || "pasted picture" })));

  /** @param {Scan} scan */
  const choose = (scan) => {
    chosen = scan;
    for (const [other, entry] of entries) entry.chosen(other === scan);
    stage.show(scan);
    drawPanel(scan);
  };

  /** @param {Scan} scan */
  const remove = (scan) => {
    forget(scan);
    entries.get(scan)?.element.remove();
    entries.delete(scan);
    const rest = [...entries.keys()];
    layOut();
    if (chosen === scan && rest[0]) choose(rest[0]);
    if (rest.length === 0) element.querySelector("h1")?.focus();
  };

  /** @param {Scan} scan */
  const changed = (scan) => {
    if (["answered", "refused", "failed"].includes(scan.state.kind) && scan.picture !== null) announce(`${scan.name}: ${stateInWords(scan)}.`);
    if (scan !== chosen) return;
    stage.show(scan);
    drawPanel(scan);
  };

  /** The panel's content, so that a picture read later does not reset a half-filled form. @type {unknown} */
  let drawn = null;
  /** @param {Scan} scan */
  const drawPanel = (scan) => {
    if (drawn === scan.state) return;
    drawn = scan.state;
    panel.replaceChildren(panelOf(scan));
  };

  const empty = h("div", { class: "intake" },
    h("div", { class: "drop-zone" },
      s("svg", { class: "aperture", "aria-hidden": "true" }, s("use", { href: "#icon-aperture" })),
      h("h2", {}, "Drop scans here"),
      h("p", {}, "or paste one, or choose files: PNG, JPEG or DICOM, one or many."),
      picker(take, "Choose files", "button"),
      keeping),
    h("section", { class: "try" },
      h("h2", {}, "Or try one of these"),
      h("p", { class: "fine" }, "Images the model was tested on, not trained on. Their label may be right where the model is wrong, or the other way round."),
      sampleShelf((content, name) => add([{ content, name }]))));
  const work = h("div", { class: "workspace" },
    h("aside", { class: "rail-box", "aria-label": "Scans sent" }, rail, h("div", { class: "row" },
      picker(take, "Add", "button quiet"),
      h("button", { type: "button", class: "quiet", onclick: () => [...entries.keys()].forEach(remove) }, "Clear all"))),
    stage.element, panel);
  const body = h("div", {}, empty);
  const element = h("section", { class: "place scans" }, h("h1", { tabindex: -1 }, "Scans"), body);

  const layOut = () => {
    const wanted = entries.size === 0 ? empty : work;
    if (body.firstChild !== wanted) body.replaceChildren(wanted);
    element.classList.toggle("busy", entries.size > 0);
  };

  startIntake(take, () => {
    location.hash = "#/scans";
  });
  // The seconds of pauses.
  setInterval(() => {
    for (const [scan, entry] of entries) {
      if (scan.state.kind !== "paused") continue;
      entry.draw();
      const seconds = scan === chosen && panel.querySelector(".seconds");
      if (seconds) seconds.textContent = `Sent again in ${pauseLeft(scan)} s`;
    }
  }, 500);

  return { title: "Scans", element, enter() {
    // Everything is already there.
  } };
}

/** @param {Scan} scan */
function panelOf(scan) {
  const { state } = scan;
  switch (state.kind) {
    case "waiting":
    case "sending":
      return h("div", { class: "pending", "aria-busy": "true" },
        h("p", { class: "label" }, state.kind === "waiting" ? "Waiting for its turn" : "Asking the model"),
        h("div", { class: "skeleton title" }), ...Array.from({ length: 4 }, () => h("div", { class: "skeleton line" })));
    case "paused":
      return h("div", { class: "pending" },
        h("p", { class: "label" }, "The server is busy and asked to wait"),
        h("p", { class: "seconds" }, `Sent again in ${pauseLeft(scan)} s`),
        h("p", { class: "fine" }, "That happens by itself; nothing is lost."));
    case "answered":
      return answerPanel(scan, state.prediction);
    case "refused":
      return refusalPanel(scan, state.error);
    case "failed":
      return failure("No answer for this scan", state.error, () => send(scan));
  }
}
