// Starts the page.

import { connection } from "./connection.js";
import { dashboardPlace } from "./dashboard.js";
import { byId } from "./dom.js";
import { toldElsewhere } from "./errors.js";
import { historyPlace } from "./history.js";
import { loadIcons } from "./icons.js";
import { startKeys } from "./keys.js";
import { modelPlace } from "./model-card.js";
import { startModelLine } from "./model.js";
import { startRouter } from "./router.js";
import { scansPlace } from "./scans.js";
import { startTheme } from "./theme.js";
import { trainingPlace } from "./training.js";

// Without them every button still has its text.
loadIcons().catch(toldElsewhere);
startTheme(/** @type {HTMLButtonElement} */ (byId("theme-switch")));
startKeys();
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
const enterAgain = startRouter(
  { scans: scansPlace, history: historyPlace, dashboard: dashboardPlace, model: modelPlace, training: trainingPlace },
  "scans",
);
startModelLine();
connection.addEventListener("back", enterAgain);
