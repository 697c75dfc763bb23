// Upload files folder by folder, and follow each upload until its last file has ended.

import { make, say, alertOf, countOf } from "./elements.js";
import { upload, events, Problem } from "./requests.js";
import { stateOf } from "./files.js";

/** Return the files that were dropped, those in folders with the folder's path: `[{file, folder}]`. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, folder: "" }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, folder, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    if (!file.name.startsWith(".")) found.push({ file, folder });
    return;
  }
  const reader = entry.createReader();
  const below = folder ? `${folder}/${entry.name}` : entry.name;
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const each of entries) await walk(each, below, found);
  }
}

/** Upload files in groups of one folder and of the size that the service takes, one group after the other. */
export async function uploadAll(files, context) {
  for (const group of groups(files, context.session.max_files_per_upload)) {
    await uploadGroup(group, context, { replaces: false });
  }
}

function groups(files, most) {
  const found = [];
  for (const each of files) {
    const last = found.at(-1);
    if (last && last[0].folder === each.folder && last.length < most) last.push(each);
    else found.push([each]);
  }
  return found;
}

async function uploadGroup(group, context, { replaces }) {
  const { owner, place, refresh, signal } = context;
  const form = new FormData();
  form.append("user_id", owner.user_id);
  form.append("project_id", owner.project_id);
  if (group[0].folder) form.append("folder", group[0].folder);
  if (replaces) form.append("replace_filenames", JSON.stringify(group.map(({ file }) => file.name)));
  for (const { file } of group) form.append("files", file, file.name);
  const title = group.length === 1 ? group[0].file.name : `${countOf(group.length, "file")}${group[0].folder ? ` of ${group[0].folder}` : ""}`;
  const bar = make("progress", { max: "1", value: "0", "aria-label": `Sending ${title}` });
  const body = make("div", {}, bar);
  const card = make("section", { class: "card job", "aria-label": `Upload of ${title}` }, make("h2", {}, title), body);
  const close = make("button", { type: "button", class: "quiet close", "aria-label": `Hide the upload of ${title}`, onclick: () => card.remove() }, "Hide");
  place.prepend(card);
  try {
    const job = await upload(form, { progress: (share) => (bar.value = share) });
    say(`${title} arrived`);
    await refresh();
    follow(job, { body, card, close, refresh, signal, title });
  } catch (error) {
    card.append(close);
    body.replaceChildren(alertOf(error));
    if (error instanceof Problem && error.status === 409) {
      const again = () => (card.remove(), uploadGroup(group, context, { replaces: true }));
      body.append(make("button", { type: "button", onclick: again }, "Replace what is there"));
    }
  }
}

async function follow(job, { body, card, close, refresh, signal, title }) {
  const path = `upload/events?job_id=${encodeURIComponent(job.job_id)}`;
  try {
    for await (const event of events(path, { signal })) {
      const status = JSON.parse(event.data);
      body.replaceChildren(
        make("progress", { max: "100", value: String(status.totals.percent), "aria-label": `${title} is ingested` }),
        make(
          "ul",
          { class: "plain" },
          status.files.map((file) =>
            make(
              "li",
              {},
              make("span", { class: "filename" }, file.filename),
              stateOf(file),
              file.chunks ? ` ${countOf(file.chunks, "chunk")}` : "",
              file.unchanged ? " The same bytes were there already." : "",
              file.error && make("span", { class: "why" }, file.error),
            ),
          ),
        ),
      );
      if (event.name === "done") {
        say(`${title}: ${status.totals.succeeded} ready, ${status.totals.failed} failed`);
        await refresh();
      }
    }
  } catch (error) {
    if (error.name !== "AbortError") body.replaceChildren(alertOf(error));
  }
  card.append(close);
}
