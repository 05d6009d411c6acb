// The key's owner and role: actions that it does not allow are not offered.

import { askJson } from "./api.js";

/** @import { Session } from "./contract.js" */

/** Requested each time, since the user may enter another key. @param {AbortSignal} [signal] @returns {Promise<boolean>} */
export async function mayAdminister(signal) {
  /** @type {Session} */
  const session = await askJson("/v1/session", signal ? { signal } : {});
  return session.role === "admin";
}
