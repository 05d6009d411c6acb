// Earlier requests: filtered, a page at a time, newest first.

import { askJson } from "./api.js";
import { announce } from "./announce.js";
import { h, unique } from "./dom.js";
import { failure, toldElsewhere } from "./errors.js";
import { className, classTitle, counted, localTime, milliseconds, percent } from "./format.js";
import { openRecord } from "./history-record.js";
import { presentModel } from "./model.js";

/**
 * @import { Row } from "./contract.js"
 * @typedef {{ predictions: Row[], next: string | null }} Page
 */

const ROWS = 25;

/** @returns {import("./router.js").Place} */
export function historyPlace() {
  const list = h("div", { class: "records" });
  /** The cursors of the pages before the present one; the first page has none. @type {(string | null)[]} */
  let before = [];
  /** @type {string | null} */
  let cursor = null;
  /** @type {AbortSignal | undefined} */
  let present;

  const filters = filterBar(() => {
    before = [];
    cursor = null;
    load();
  });

  const load = async () => {
    list.setAttribute("aria-busy", "true");
    const query = filters.query();
    query.set("limit", String(ROWS));
    if (cursor !== null) query.set("cursor", cursor);
    try {
      /** @type {Page} */
      const page = await askJson(`/v1/predictions?${query}`, present ? { signal: present } : {});
      draw(page);
      announce(`${counted(page.predictions.length, "prediction")} shown.`);
    } catch (error) {
      if (present?.aborted) return;
      list.replaceChildren(failure("The history could not be read", error, load));
    }
    list.removeAttribute("aria-busy");
  };

  /** @param {Page} page */
  const draw = ({ predictions, next }) => {
    if (predictions.length === 0) {
      list.replaceChildren(h("div", { class: "empty" },
        h("h2", {}, filters.any() ? "Nothing matches" : "Nothing asked yet"),
        h("p", {}, filters.any() ? "Take a filter away to see more." : "Every scan that is sent appears here, with what the model said and what people said of it."),
        filters.any() ? h("button", { type: "button", class: "quiet", onclick: filters.clear }, "Clear filters") : h("a", { class: "button", href: "#/scans" }, "Send a scan")));
      return;
    }
    const alone = before.length === 0 && next === null;
    list.replaceChildren(recordTable(predictions, load), alone ? "" : h("nav", { class: "pages", "aria-label": "Pages of the history" },
      h("button", { type: "button", class: "quiet", disabled: before.length === 0, onclick: () => {
        cursor = before.pop() ?? null;
        load();
      } }, "Newer"),
      h("span", { class: "fine" }, `Page ${before.length + 1}`),
      h("button", { type: "button", class: "quiet", disabled: next === null, onclick: () => {
        before.push(cursor);
        cursor = next;
        load();
      } }, "Older")));
  };

  const element = h("section", { class: "place" },
    h("h1", { tabindex: -1 }, "History"),
    h("p", { class: "lead" }, "Every prediction, newest first."),
    filters.element, list);
  return { title: "History", element, enter(query, signal) {
    present = signal;
    filters.take(query);
    before = [];
    cursor = null;
    load();
  } };
}

/** A day ends with its last moment, in the user's time zone. @type {Record<string, string>} */
const CLOCKS = { since: "T00:00:00", until: "T23:59:59.999" };

/** @param {() => void} changed */
function filterBar(changed) {
  /** @param {string} label @param {[string, string][]} options */
  const choice = (label, options) => {
    const id = unique("filter");
    const control = h("select", { id, onchange: changed }, ...options.map(([value, words]) => h("option", { value }, words)));
    return { control, element: h("div", { class: "field" }, h("label", { for: id }, label), control) };
  };
  /** @param {string} label */
  const day = (label) => {
    const id = unique("filter");
    const control = h("input", { id, type: "date", onchange: changed });
    return { control, element: h("div", { class: "field" }, h("label", { for: id }, label), control) };
  };
  const fields = {
    class: choice("Class", [["", "Any"]]),
    accepted: choice("Checks", [["", "Any"], ["true", "Accepted"], ["false", "Refused"]]),
    feedback: choice("Feedback", [["", "Any or none"], ["any", "Any"], ["none", "None"], ["right", "Said right"], ["wrong", "Said wrong"]]),
    since: day("From"),
    until: day("To"),
  };
  presentModel().then((model) => {
    fields.class.control.append(...model.classes.map((name) => h("option", { value: name }, className(name))));
  }, toldElsewhere);
  const controls = Object.values(fields).map((field) => field.control);
  const clear = () => {
    for (const control of controls) control.value = "";
    changed();
  };
  return {
    element: h("div", { class: "filters", role: "search", "aria-label": "Filter the history" }, ...Object.values(fields).map((field) => field.element)),
    clear,
    any: () => controls.some((control) => control.value !== ""),
    query() {
      const query = new URLSearchParams();
      for (const [name, { control }] of Object.entries(fields)) {
        if (control.value === "") continue;
        const clock = CLOCKS[name];
        query.set(name, clock === undefined ? control.value : new Date(`${control.value}${clock}`).toISOString());
      }
      return query;
    },
    /** Filters of a link. @param {URLSearchParams} query */
    take(query) {
      for (const name of /** @type {const} */ (["class", "accepted", "feedback"])) {
        const value = query.get(name);
        if (value !== null) fields[name].control.value = value;
      }
    },
  };
}

/** @param {Row[]} rows @param {() => void} changed */
function recordTable(rows, changed) {
  const heading = (/** @type {string} */ words, look = "") => h("th", { scope: "col", class: look }, words);
  return h("div", { class: "table-box", tabindex: 0, role: "region", "aria-label": "Predictions" }, h("table", { class: "record-table" },
    h("thead", {}, h("tr", {}, heading("File"), heading("Model's first class"), heading("Probability", "number"), heading("Feedback"), heading("Model time", "number"), heading("When"))),
    h("tbody", {}, ...rows.map((row) => h("tr", {},
      h("th", { scope: "row" }, h("button", { type: "button", class: "link", onclick: () => openRecord(row, changed) }, row.file ?? "without a name")),
      h("td", { "data-label": "Class" }, row.accepted ? "" : h("span", { class: "tag bad" }, row.class === null ? "refused" : "flagged"), " ", row.class === null ? "" : classTitle(row.class)),
      h("td", { class: "number", "data-label": "Probability" }, row.confidence === null ? "–" : percent(row.confidence)),
      h("td", { "data-label": "Feedback" }, feedbackTag(row)),
      h("td", { class: "number", "data-label": "Model time" }, milliseconds(row.inference_ms)),
      h("td", { class: "when", "data-label": "When" }, h("time", { datetime: row.created_at }, localTime(row.created_at))))))));
}

/** @param {Row} row */
function feedbackTag({ feedback }) {
  if (!feedback) return h("span", { class: "fine" }, "none");
  return feedback.right ? h("span", { class: "tag good" }, "right") : h("span", { class: "tag warn" }, `wrong: ${className(feedback.class)}`);
}
