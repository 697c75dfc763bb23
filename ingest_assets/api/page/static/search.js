// Search by meaning, and lead each hit to the page and the place where it stands.

import { make, say, alertOf, countOf } from "./elements.js";
import { ask } from "./requests.js";

const HITS = 10;
const SHORTEST = 4; // shorter words of a question, such as "the", would mark half of a text

export async function show(place, context) {
  const { parameters, owner, link } = context;
  const query = make("input", {
    id: "query",
    type: "search",
    required: true,
    value: parameters.get("q") ?? "",
    autocomplete: "off",
  });
  const everywhere = make("input", { type: "checkbox", id: "everywhere", checked: parameters.has("everywhere") });
  const submitted = (event) => {
    event.preventDefault();
    const more = everywhere.checked ? { everywhere: "1" } : {};
    location.hash = link("search", { q: query.value, ...more });
  };
  const results = make("div", { class: "results" });
  place.append(
    make(
      "form",
      { class: "search", role: "search", onsubmit: submitted },
      make("label", { for: "query" }, "Question or words"),
      make("div", { class: "row" }, query, make("button", { type: "submit", class: "primary" }, "Search")),
      make("div", { class: "row" }, everywhere, make("label", { for: "everywhere" }, `In all projects of ${owner.user_id}`)),
    ),
    results,
  );
  if (!parameters.get("q")) return query.focus();
  results.replaceChildren(make("p", {}, "Searching…"));
  const scope = everywhere.checked ? { user_id: owner.user_id } : owner;
  try {
    const body = { query: parameters.get("q"), k: HITS, ...scope };
    const { hits } = await ask("search", { method: "POST", body, signal: context.signal });
    say(countOf(hits.length, "hit"));
    const words = wordsOf(parameters.get("q"));
    results.replaceChildren(
      make("h2", {}, hits.length ? countOf(hits.length, "hit") : "Nothing was found"),
      make("ol", { class: "hits" }, hits.map((hit) => hitOf(hit, words, context))),
    );
  } catch (error) {
    if (error.name === "AbortError" || error.status === 401) throw error;
    results.replaceChildren(alertOf(error));
  }
}

function wordsOf(query) {
  return new Set((query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => word.length >= SHORTEST));
}

function hitOf(hit, words, { link }) {
  const { user_id, project_id, filename, origin } = hit.file;
  const page = hit.pages[0] ?? 1;
  const to = link("document", { user_id, project_id, filename, origin, page, chunk: hit.chunk_id });
  const where = [
    hit.pages.length ? `page ${hit.pages.join(", ")}` : "",
    hit.section.join(" › "),
  ].filter(Boolean);
  return make(
    "li",
    { class: "card hit" },
    make("h3", {}, make("a", { href: to }, filename)),
    make("p", { class: "small" }, [...where, `similarity ${hit.score.toFixed(2)}`].join(" · ")),
    make("p", { class: "text" }, marked(hit.text, words)),
    hit.pictures.length > 0 && make("p", { class: "small" }, `${countOf(hit.pictures.length, "picture")} in it: ${hit.pictures.map((each) => each.caption || each.text).filter(Boolean).join("; ").slice(0, 300)}`),
  );
}

/** Return a text in which words are marked. */
function marked(text, words) {
  return text.split(/([\p{L}\p{N}]+)/u).map((piece) => (words.has(piece.toLowerCase()) ? make("mark", {}, piece) : piece));
}
