// Whose key it is: what it does not allow is not offered.

import { askJson } from "./api.js";

/** @import { Session } from "./contract.js" */

/** Asked anew each time, since a person may give another key. @param {AbortSignal} [signal] @returns {Promise<boolean>} */
export async function mayAdminister(signal) {
  /** @type {Session} */
  const session = await askJson("/v1/session", signal ? { signal } : {});
  return session.role === "admin";
}
