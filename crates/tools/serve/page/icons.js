// Loads icons.svg into the document, once: its pictures then stay available even without the server.

export async function loadIcons() {
  const response = await fetch("/assets/icons.svg");
  if (!response.ok) return;
  const { documentElement } = new DOMParser().parseFromString(await response.text(), "image/svg+xml");
  documentElement.setAttribute("class", "unseen");
  documentElement.setAttribute("aria-hidden", "true");
  document.body.append(documentElement);
}
