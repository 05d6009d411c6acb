// The switch between light and dark; without a choice the page follows the system.

import { icon } from "./dom.js";

/** @typedef {"light" | "dark"} Theme */

const system = matchMedia("(prefers-color-scheme: dark)");

/** @returns {Theme} */
function present() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** @param {HTMLButtonElement} button */
export function startTheme(button) {
  const label = () => {
    const other = present() === "dark" ? "light" : "dark";
    button.replaceChildren(icon(other === "dark" ? "moon" : "sun"));
    button.setAttribute("aria-label", `Use the ${other} theme`);
    button.title = `Use the ${other} theme`;
  };
  button.addEventListener("click", () => {
    const theme = present() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Then the choice lasts as long as the page.
    }
    label();
  });
  system.addEventListener("change", label);
  label();
}
