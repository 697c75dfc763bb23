// Show a table of a document, which is kept as Markdown: one row a line, cells between pipes, the first row its header.

import { make } from "./elements.js";

/** Return a table element. */
export function tableOf(markdown) {
  const rows = markdown.split("\n").filter((line) => line.trim().startsWith("|")).map(cellsOf);
  if (!rows.length) return make("p", { class: "text" }, markdown);
  const [head, ...rest] = rows;
  const body = rest.filter((cells) => !cells.every((cell) => /^:?-+:?$/.test(cell)));
  return make(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" },
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, head.map((cell) => (cell ? make("th", { scope: "col" }, cell) : make("td", {}))))),
      make("tbody", {}, body.map((cells) => make("tr", {}, cells.map((cell) => make("td", {}, cell))))),
    ),
  );
}

function cellsOf(line) {
  const cells = line.trim().replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/);
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}
