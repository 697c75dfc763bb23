// Make elements of the page. Text goes in as text nodes only, so nothing that came from a file is read as HTML.

/** Return an element with attributes, listeners (`onclick: f`), and children: elements or texts. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Say something to people who cannot see the page change. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Return an alert that shows what is wrong. */
export function alertOf(error) {
  return make("p", { role: "alert", class: "alert" }, error.message);
}

/** Ask a person to confirm; resolves to whether they did. */
export function confirmed(question, { action }) {
  return new Promise((resolve) => {
    const dialog = make(
      "dialog",
      { "aria-label": action, onclose: () => (resolve(dialog.returnValue === "yes"), dialog.remove()) },
      make("p", {}, question),
      make(
        "div",
        { class: "row" },
        make("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, action),
        make("button", { type: "button", onclick: () => dialog.close("") }, "Keep it"),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

const UNITS = ["bytes", "kB", "MB", "GB"];

/** Write a number of bytes for people. */
export function sizeOf(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) (bytes /= 1000), unit++;
  return `${bytes >= 10 || unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${UNITS[unit]}`;
}

/** Write a time in seconds for people. */
export function timeOf(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** Write a count with its noun. */
export function countOf(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
