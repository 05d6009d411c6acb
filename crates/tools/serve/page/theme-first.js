// Runs before the first paint, so that a chosen theme does not flash: a plain script, not a module.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that stores nothing follows the system's theme.
}
