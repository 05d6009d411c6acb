// Sends scans, a few at a time; waits as long as the server asks when it is busy.

import { askJson, ServerError, Unreachable } from "./api.js";
import { connection } from "./connection.js";

/**
 * @import { Item } from "./contract.js"
 * @import { Scan } from "./scan.js"
 */

/** The server makes batches from waiting requests; more at once would only fill its queue. */
const AT_ONCE = 3;
const TRIES_WHEN_BUSY = 6;
const PAUSE_UNLESS_TOLD_S = 2;

/** @type {Scan[]} */
const waiting = [];
let sending = 0;

/** @param {Scan} scan */
export function send(scan) {
  scan.become({ kind: "waiting" });
  waiting.push(scan);
  next();
}

/** A scan that was removed from the list is not sent. @param {Scan} scan */
export function forget(scan) {
  const at = waiting.indexOf(scan);
  if (at >= 0) waiting.splice(at, 1);
}

function next() {
  while (sending < AT_ONCE) {
    const scan = waiting.shift();
    if (!scan) return;
    sending += 1;
    // biome-ignore lint/suspicious/noLoopFunc: the count is one for all scans
    deliver(scan).finally(() => {
      sending -= 1;
      next();
    });
  }
}

/** @param {Scan} scan */
async function deliver(scan) {
  for (let tries = 1; ; tries += 1) {
    scan.become({ kind: "sending" });
    try {
      await predict(scan);
      return;
    } catch (error) {
      if (!(error instanceof ServerError)) {
        scan.become({ kind: "failed", error });
        if (error instanceof Unreachable) connection.addEventListener("back", () => retryIfFailed(scan), { once: true });
        return;
      }
      if (error.code === "foreign_image") {
        scan.become({ kind: "refused", error: error.body });
        return;
      }
      if (error.status !== 429 || tries === TRIES_WHEN_BUSY) {
        scan.become({ kind: "failed", error });
        return;
      }
      const untilMs = Date.now() + 1000 * (error.retryAfterSeconds ?? PAUSE_UNLESS_TOLD_S);
      scan.become({ kind: "paused", untilMs });
      await new Promise((resolve) => setTimeout(resolve, untilMs - Date.now()));
    }
  }
}

/** @param {Scan} scan */
function retryIfFailed(scan) {
  if (scan.state.kind === "failed") send(scan);
}

/** One file a request: each has its own answer, its own pause and its own failure. @param {Scan} scan */
async function predict(scan) {
  const form = new FormData();
  form.append("file", scan.content, scan.name);
  const query = new URLSearchParams({ explain: "grad-cam" });
  if (scan.window) query.set("window", `${scan.window.centre},${scan.window.width}`);
  /** @type {{ predictions: Item[] }} */
  const answer = await askJson(`/v1/predict?${query}`, { method: "POST", body: form });
  const [item] = answer.predictions;
  if (item?.prediction) {
    scan.feedback = null;
    scan.become({ kind: "answered", prediction: item.prediction });
  } else if (item?.error?.code === "foreign_image") {
    scan.become({ kind: "refused", error: item.error });
  } else {
    const body = item?.error ?? { code: "empty_answer", message: "The server answered without a prediction." };
    scan.become({ kind: "failed", error: new ServerError(200, body, null) });
  }
}
