// Show the host: memory, cap, queue, and what is wrong with what to do.

import { make, countOf, timeOf } from "./elements.js";
import { ask } from "./requests.js";

const LOOK_EVERY_MS = 5000;

export async function show(place, context) {
  async function refresh() {
    const found = await ask("host", { signal: context.signal });
    place.replaceChildren(...partsOf(found, context));
  }
  await refresh();
  const timer = setInterval(() => {
    // not while somebody reads with the keyboard: the links would be new ones
    if (!document.hidden && !place.contains(document.activeElement)) refresh().catch(() => {});
  }, LOOK_EVERY_MS);
  context.signal.addEventListener("abort", () => clearInterval(timer));
}

function partsOf(host, context) {
  const used = host.memory_total_mb - host.memory_available_mb;
  const facts = [
    [
      "Memory",
      make(
        "span",
        {},
        make("meter", { min: "0", max: String(host.memory_total_mb), high: String(host.memory_total_mb * 0.9), value: String(used), "aria-label": "Memory in use" }),
        ` ${used.toLocaleString("en")} of ${host.memory_total_mb.toLocaleString("en")} MB in use, limited by ${host.memory_limited_by}`,
      ),
    ],
    ["Cap of a run", host.cap_mb ? `${host.cap_mb.toLocaleString("en")} MB, ${countOf(host.max_parallel, "run")} at once` : "none is set here"],
    ["Disk", `${host.disk_free_mb.toLocaleString("en")} MB free`],
    ["Queue", host.queued ? `${countOf(host.queued, "file")}; the oldest waits for ${timeOf(host.oldest_pending_s)}` : "nothing waits"],
    ["Time for a file", host.seconds_a_file ? `${timeOf(host.seconds_a_file)} on average in the last hour` : "none in the last hour"],
    ["Files", Object.entries(host.files_by_state).map(([state, count]) => `${count} ${state.replaceAll("_", " ")}`).join(", ") || "none"],
  ];
  return [
    make("dl", { class: "card facts" }, facts.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    make("h2", {}, host.problems.length ? `What needs a person: ${host.problems.length}` : "Nothing needs a person"),
    make("ul", { class: "plain problems" }, host.problems.map((problem) => problemOf(problem, context))),
    context.session.role === "admin" && make(
      "p",
      {},
      make("a", { href: "dagster/" }, "Dagster's pages"),
      ": runs, backfills and schedules. ",
      make("a", { href: "docs" }, "The API's description"),
      ": each request and its answer.",
    ),
  ].filter(Boolean);
}

function problemOf(problem, { link }) {
  const { user_id, project_id, filename } = problem;
  return make(
    "li",
    { class: "card" },
    filename && make("p", {}, make("a", { href: link("document", { user_id, project_id, filename }) }, `${user_id} / ${project_id} / ${filename}`), ` (${problem.state.replaceAll("_", " ")})`),
    make("p", {}, problem.what),
    make("p", { class: "todo" }, make("strong", {}, "To do: "), problem.todo),
  );
}
