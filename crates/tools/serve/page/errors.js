// Failures as text: what happened, what to do, and the request id to quote.

import { ServerError, Unreachable } from "./api.js";
import { h, icon } from "./dom.js";

/** What the user can do, by the code of the server's error. @type {Record<string, string>} */
const ADVICE = {
  bad_request: "Check the file and send it again.",
  too_large: "Send a smaller picture: crop or scale it before, or ask whoever runs the server for a higher limit.",
  unsupported_media_type: "Send PNG, JPEG or DICOM.",
  not_an_image: "The content decides, not the name. Send PNG, JPEG or DICOM.",
  damaged_image: "Export the scan again: the file may have been cut off on its way.",
  foreign_image: "Send a scan of the kind the model was trained on.",
  rate_limited: "Too many requests came from here within a minute. Try again in a moment.",
  overloaded: "The server is busy with others. Try again in a moment.",
  deadline_exceeded: "The server was too busy to answer in time. Try again.",
  conflict: "",
  unknown_class: "Choose one of the model's classes.",
  stopping: "The server is being stopped. Try again when it is back.",
  store_unavailable: "The server's records cannot be reached. Try again, and tell whoever runs it if it stays so.",
  forbidden: "Take a key with a higher role, or ask whoever runs the server.",
};

/** @type {Record<number, string>} */
const BY_STATUS = {
  403: "This key does not allow it. Take a key with a higher role, or ask whoever runs the server.",
  404: "It may have been removed. Load the page again.",
  429: "The server is busy. Try again in a moment.",
  500: "That is a fault of the server. Tell whoever runs it, with the number below.",
  503: "The server is starting or stopping. Try again in a moment.",
};

/** For a failure that is already shown elsewhere: by a banner, by a text in place of a picture, by the next attempt. */
export function toldElsewhere() {
  // Nothing else needs to be done.
}

/** @param {unknown} error @returns {{ what: string, advice: string, requestId: string | undefined }} */
export function inWords(error) {
  if (error instanceof Unreachable) {
    return { what: error.message, advice: "See that it runs and that the network is up; then try again.", requestId: undefined };
  }
  if (error instanceof ServerError) {
    const advice = ADVICE[error.code] ?? BY_STATUS[error.status] ?? "";
    const what = error.message.charAt(0).toUpperCase() + error.message.slice(1);
    return { what: /[.!?]$/u.test(what) ? what : `${what}.`, advice, requestId: error.body.request_id };
  }
  return { what: "This page met a fault of its own.", advice: `Load it again. (${String(error)})`, requestId: undefined };
}

/**
 * @param {string} heading
 * @param {unknown} error
 * @param {() => void} [again] the action of "Try again"
 */
export function failure(heading, error, again) {
  const { what, advice, requestId } = inWords(error);
  return h("div", { class: "failure", role: "alert" },
    icon("alert"),
    h("div", {},
      h("p", {}, h("strong", {}, heading)),
      h("p", {}, what, " ", advice),
      requestId && h("p", { class: "fine" }, "Request ", h("code", {}, requestId)),
      again && againButton(error, again)));
}

/** Presses itself after the time that the server stated. @param {unknown} error @param {() => void} again */
function againButton(error, again) {
  const button = h("button", { type: "button", onclick: again }, "Try again");
  const seconds = error instanceof ServerError && error.status === 429 ? error.retryAfterSeconds : null;
  if (seconds === null) return button;
  const until = Date.now() + 1000 * seconds;
  const tell = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.textContent = `Try again (by itself in ${Math.max(0, left)} s)`;
    if (left > 0 && !tried) return;
    clearInterval(timer);
    // The button is no longer shown.
    if (!tried && button.isConnected) again();
  };
  let tried = false;
  button.addEventListener("click", () => {
    tried = true;
  });
  const timer = setInterval(tell, 500);
  tell();
  return button;
}
