// Server-sent events read with fetch: the browser's own EventSource cannot send a key.

import { ask } from "./api.js";

/** @typedef {{ event: string, data: string }} ServerEvent */

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<ServerEvent>} until the server ends it
 */
export async function* serverEvents(path, signal) {
  const response = await ask(path, { signal, headers: { accept: "text/event-stream" } });
  if (!response.body) return;
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    // A line end of two characters may arrive in two pieces.
    rest += value;
    const blocks = rest.replace(/\r\n?(?=[\s\S])/gu, "\n").split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = parsed(block);
      if (event) yield event;
    }
  }
}

/** @param {string} block @returns {ServerEvent | null} null for a comment, which keeps the line open */
export function parsed(block) {
  let event = "message";
  /** @type {string[]} */
  const data = [];
  for (const line of block.split("\n")) {
    const [field = "", value = ""] = /^([^:]*):? ?(.*)$/u.exec(line)?.slice(1) ?? [];
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join("\n") };
}
