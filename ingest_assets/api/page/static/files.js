// Upload files and folders, and list the files of a project with the stage that each is in.

import { make, say, alertOf, confirmed, sizeOf, countOf } from "./elements.js";
import { ask } from "./requests.js";
import { droppedFiles, uploadAll } from "./uploading.js";

export const STAGES = {
  raw_files: "receiving",
  parsed_documents: "reading",
  image_captions: "looking at pictures",
  chunks: "cutting",
  embeddings: "embedding",
};
const STATES = {
  receiving: ["arriving", ""],
  pending: ["waits for its turn", ""],
  processing: ["on its way", "busy"],
  succeeded: ["ready", "good"],
  partial: ["ready, with parts left out", "warn"],
  empty: ["read; it has no text", "warn"],
  failed: ["failed", "bad"],
  out_of_memory: ["tried again with less at once", "busy"],
  quarantined: ["too large for this host's runs", "bad"],
  cancelled: ["cancelled", "warn"],
  refused: ["refused", "bad"],
  replaced: ["a newer version came", ""],
  removed: ["removed", ""],
};
const UNDER_WAY = new Set(["receiving", "pending", "processing", "out_of_memory"]);
const LOOK_EVERY_MS = 3000;
const AT_ONCE = 100;

/** Return a label of a file's state. */
export function stateOf(file) {
  const [words, kind] = STATES[file.state] ?? [file.state, ""];
  const stage = file.state === "processing" && STAGES[file.stage] ? STAGES[file.stage] : words;
  return make(
    "span",
    { class: "state-of" },
    make("span", { class: `state ${kind}` }, stage),
    file.state === "processing" && stagesOf(file),
  );
}

/** Return the five stages of a file as steps; the one that it is in is the current one. */
function stagesOf(file) {
  const names = Object.keys(STAGES);
  const current = names.indexOf(file.stage);
  return make(
    "span",
    { class: "steps", role: "img", "aria-label": `stage ${current + 1} of ${names.length}, ${file.percent} % done` },
    names.map((_, index) =>
      make("span", { class: index < current ? "step done" : index === current ? "step now" : "step" }),
    ),
    make("span", { class: "percent", "aria-hidden": "true" }, `${file.percent} %`),
  );
}

export async function show(place, context) {
  const list = make("div", { class: "list" });
  const jobs = make("div", { class: "jobs" });
  place.append(dropZone(context, jobs, () => refresh()), jobs, list);
  let shown = AT_ONCE;
  let files = [];

  async function refresh() {
    const found = await ask("files", { parameters: { ...context.owner, limit: shown }, signal: context.signal });
    const written = JSON.stringify(found);
    if (written !== list.dataset.written) {
      list.dataset.written = written;
      files = found.files;
      const focused = document.activeElement?.id;
      list.replaceChildren(table(files, context, refresh), moreButton(found));
      if (focused) document.getElementById(focused)?.focus();
    }
  }

  function moreButton(found) {
    if (found.next_offset === null) return "";
    const more = () => ((shown = Math.min(1000, shown + AT_ONCE)), refresh());
    return make("button", { type: "button", id: "more", onclick: more }, "Show more files");
  }

  await refresh();
  const timer = setInterval(() => {
    if (!document.hidden && files.some((file) => UNDER_WAY.has(file.state))) refresh().catch(() => {});
  }, LOOK_EVERY_MS);
  context.signal.addEventListener("abort", () => clearInterval(timer));
}

function dropZone(context, jobs, refresh) {
  const take = (files) => {
    if (files.length) uploadAll(files, { ...context, place: jobs, refresh });
  };
  const chosen = (input) => {
    take([...input.files].map((file) => ({ file, folder: folderOf(file.webkitRelativePath) })));
    input.value = "";
  };
  const input = make("input", { type: "file", id: "choose", multiple: true, onchange: () => chosen(input) });
  const folder = make("input", {
    type: "file",
    id: "choose-folder",
    webkitdirectory: true,
    multiple: true,
    onchange: () => chosen(folder),
  });
  const zone = make(
    "section",
    { class: "drop", "aria-label": "Upload" },
    make("p", {}, "Drop files or folders here, or choose them:"),
    make(
      "div",
      { class: "row" },
      make("span", { class: "choose" }, make("label", { for: "choose" }, "Choose files"), input),
      make("span", { class: "choose" }, make("label", { for: "choose-folder" }, "Choose a folder"), folder),
    ),
    make("p", { class: "small" }, `Up to ${context.session.max_file_mb} MB each.`),
  );
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => (event.preventDefault(), zone.classList.add("over")));
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    event.preventDefault();
    take(await droppedFiles(event.dataTransfer));
  });
  return context.session.role === "read" ? "" : zone;
}

function folderOf(path) {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function table(files, context, refresh) {
  if (!files.length) return make("p", { class: "empty" }, "No files yet.");
  return make(
    "table",
    { class: "files" },
    make("caption", { class: "unseen" }, "Files of the project"),
    make(
      "thead",
      {},
      make("tr", {}, ["Name", "State", "Pages", "Chunks", "Size", "Actions"].map((name) => make("th", { scope: "col" }, name))),
    ),
    make("tbody", {}, files.map((file, index) => row(file, index, context, refresh))),
  );
}

function row(file, index, context, refresh) {
  const isBucketFile = file.origin !== "client";
  const hasRecord = Boolean(file.updated_at);
  const name = hasRecord
    ? make("a", { href: context.link("document", { filename: file.filename, origin: file.origin }), id: `file-${index}` }, file.filename)
    : file.filename;
  const why = file.error || file.warnings?.[0];
  const mayWrite = context.session.role !== "read";
  const act = async (work, said) => {
    try {
      await work();
      say(said);
      await refresh();
    } catch (error) {
      const cell = document.getElementById(`acts-${index}`);
      cell?.append(alertOf(error));
    }
  };
  const rerun = () =>
    act(
      () => ask("files/rerun", { method: "POST", body: { ...context.owner, filename: file.filename } }),
      `${file.filename} will be read again`,
    );
  const remove = async () => {
    const question = `Remove ${file.filename} from the bucket and everything that was read of it?`;
    if (!(await confirmed(question, { action: "Remove" }))) return;
    const parameters = { ...context.owner, filename: file.filename, origin: file.origin };
    await act(() => ask("files", { method: "DELETE", parameters }), `${file.filename} was removed`);
  };
  const button = (id, label, work) =>
    make("button", { type: "button", class: "quiet", id: `${id}-${index}`, "aria-label": `${label} ${file.filename}`, onclick: work }, label);
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, name),
    make("td", { "data-name": "State" }, stateOf(file), why && make("span", { class: "why" }, why)),
    make("td", { "data-name": "Pages", class: "number" }, file.pages || "–"),
    make("td", { "data-name": "Chunks", class: "number" }, file.chunks || "–"),
    make("td", { "data-name": "Size", class: "number" }, file.size_bytes ? sizeOf(file.size_bytes) : "–"),
    make(
      "td",
      { class: "acts", id: `acts-${index}` },
      mayWrite && isBucketFile && button("rerun", "Run again", rerun),
      mayWrite && button("remove", "Remove", remove),
    ),
  );
}

