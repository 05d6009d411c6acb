// Requests to the server: the key, and every failure as one of two errors with a text.

import { askForKey, presentKey } from "./keys.js";
import { serverAnswers, serverIsGone } from "./connection.js";

/** The server answered with an error. */
export class ServerError extends Error {
  /**
   * @param {number} status
   * @param {import("./contract.js").ErrorBody} body
   * @param {number | null} retryAfterSeconds
   */
  constructor(status, body, retryAfterSeconds) {
    super(body.message);
    this.status = status;
    this.code = body.code;
    this.body = body;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** There was no answer. */
export class Unreachable extends Error {}

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {BodyInit} [body]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/**
 * Sends a request, with the key if there is one; a 401 waits until the user has entered another key.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>} with a status of success
 * @throws {ServerError | Unreachable}
 */
export async function ask(path, options = {}) {
  while (true) {
    const key = presentKey();
    const headers = new Headers(options.headers);
    if (key !== null) headers.set("authorization", `Bearer ${key}`);
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      serverIsGone();
      throw new Unreachable("The server does not answer.", { cause: error });
    }
    serverAnswers();
    if (response.ok) return response;
    if (response.status !== 401) throw await refusal(response);
    await askForKey(key);
    options.signal?.throwIfAborted();
  }
}

/** @param {Response} response */
async function refusal(response) {
  const seconds = Number(response.headers.get("retry-after"));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : null;
  /** @type {import("./contract.js").ErrorBody} */
  let body = { code: `status_${response.status}`, message: `The server answered with status ${response.status}.` };
  try {
    const answer = await response.json();
    if (typeof answer?.error?.message === "string") body = answer.error;
  } catch {
    // A proxy in between may answer with its own page; then only the status is known.
  }
  body.request_id ??= response.headers.get("x-request-id") ?? undefined;
  return new ServerError(response.status, body, retryAfter);
}

/**
 * @template Answer
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Answer>}
 */
export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

/**
 * @template Answer
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<Answer>}
 */
export async function postJson(path, body) {
  return await askJson(path, {
    method: "POST",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/**
 * A picture that only a request with the key may read.
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function askBlob(path, signal) {
  return (await ask(path, signal ? { signal } : {})).blob();
}
