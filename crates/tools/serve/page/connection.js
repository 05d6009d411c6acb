// Whether the server answers: shows a banner while it does not, and notifies the parts when it does again.

import { announce } from "./announce.js";
import { byId, h, icon } from "./dom.js";

const LOOK_AGAIN_MS = 3000;

/** Sends "back" when the server answers again. */
export const connection = new EventTarget();

/** @type {{ banner: HTMLElement, timer: ReturnType<typeof setTimeout> } | null} */
let lost = null;

export function serverIsGone() {
  if (lost) return;
  const banner = h("div", { class: "banner gone", role: "alert" },
    icon("unplugged"),
    h("div", {},
      h("h2", {}, "The server does not answer"),
      h("p", {}, "It may have been stopped, or the network is down. Nothing that you did is lost; this page looks again every few seconds.")),
    h("button", { type: "button", onclick: look }, "Look now"));
  byId("banners").append(banner);
  lost = { banner, timer: setTimeout(look, LOOK_AGAIN_MS) };
}

export function serverAnswers() {
  if (!lost) return;
  clearTimeout(lost.timer);
  lost.banner.remove();
  lost = null;
  announce("The server answers again.");
  connection.dispatchEvent(new Event("back"));
}

async function look() {
  if (!lost) return;
  clearTimeout(lost.timer);
  try {
    await fetch("/healthz", { cache: "no-store" });
    serverAnswers();
  } catch {
    lost.timer = setTimeout(look, LOOK_AGAIN_MS);
  }
}
