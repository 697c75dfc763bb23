// Show a document: the picture of each page beside what was read of it, and what was left out.

import { make, say, alertOf, countOf, sizeOf, timeOf } from "./elements.js";
import { ask, address } from "./requests.js";
import { placesOf } from "./places.js";
import { stateOf, STAGES } from "./files.js";
import { tableOf } from "./tables.js";

export async function show(place, context) {
  const { parameters, owner, signal, heading } = context;
  const filename = parameters.get("filename") ?? "";
  const file = { ...owner, filename };
  heading.textContent = filename;
  document.title = `${filename} · ingest_assets`;
  const reading = await ask("files/reading", { parameters: file, signal });
  const last = Math.max(1, reading.pages || reading.parts);
  const view = new PageView(reading, file, context);
  const column = make("div", { class: "column" });
  place.append(summaryOf(reading), make("div", { class: "panes" }, view.pane, column));
  view.column = column;
  const wanted = Number(parameters.get("page")) || 1;
  await view.open(Math.min(Math.max(1, wanted), last), { chunk: parameters.get("chunk") ?? "" });
}

function summaryOf(reading) {
  const lines = [
    [reading.media_type, reading.size_bytes ? sizeOf(reading.size_bytes) : "", reading.pages ? countOf(reading.pages, "page") : "", reading.languages.length ? `languages: ${reading.languages.join(", ")}` : ""],
    [countOf(reading.elements, "element"), countOf(reading.tables, "table"), countOf(reading.pictures, "picture"), countOf(reading.chunks, "chunk")],
  ];
  const said = Object.entries(reading.metadata);
  const by = [
    reading.picture_models.length && ["Pictures read by", reading.picture_models.join("; ")],
    reading.pages_by_ocr && ["Pages read by OCR", String(reading.pages_by_ocr)],
    reading.model && ["Vectors by", reading.model],
    said.length && ["Said at its upload", said.map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("; ")],
    ["Read at", `${reading.updated_at}, version ${reading.generation}`],
    reading.stages.length && ["Time", reading.stages.map((each) => `${STAGES[each.stage] ?? each.stage} ${timeOf(each.seconds)}, ${Math.round(each.peak_memory_mb)} MB`).join("; ")],
  ].filter(Boolean);
  const out = [
    ...reading.unread.map((each) => `${each.page_number ? `Page ${each.page_number}` : `Part ${each.part}`}: ${each.problem}`),
    ...reading.warnings,
    reading.decorations ? `${countOf(reading.decorations, "picture")} without content (too small, of one colour, or on most pages)` : "",
    reading.unread_pictures ? `${countOf(reading.unread_pictures, "picture")} that did not fit in memory` : "",
    reading.duplicates ? `${countOf(reading.duplicates, "chunk")} whose text the store holds already` : "",
  ].filter(Boolean);
  return make(
    "section",
    { class: "summary", "aria-label": "How it was read" },
    make("p", {}, stateOf(reading), " ", lines.map((line) => line.filter(Boolean).join(" · ")).filter(Boolean).join(" · ")),
    reading.error && make("p", { class: "alert" }, reading.error),
    reading.summary && make("p", { class: "small" }, reading.summary),
    make("details", {}, make("summary", {}, "By whom it was read"), make("dl", { class: "facts" }, by.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]))),
    out.length > 0 && make("details", { open: reading.unread.length > 0 }, make("summary", {}, `Left out: ${out.length}`), make("ul", {}, out.map((each) => make("li", {}, each)))),
  );
}

class PageView {
  constructor(reading, file, context) {
    this.reading = reading;
    this.file = file;
    this.context = context;
    this.last = Math.max(1, reading.pages || reading.parts);
    this.what = reading.pages ? "Page" : "Part";
    this.words = null;
    this.frame = make("div", { class: "page" });
    this.status = make("p", { class: "small", role: "status" });
    this.number = make("input", {
      id: "page-number",
      type: "number",
      min: "1",
      max: String(this.last),
      onchange: () => this.open(Math.min(this.last, Math.max(1, Number(this.number.value) || 1))),
    });
    this.back = make("button", { type: "button", onclick: () => this.open(this.page - 1) }, "Previous");
    this.next = make("button", { type: "button", onclick: () => this.open(this.page + 1) }, "Next");
    this.pane = make(
      "section",
      { class: "page-pane", "aria-label": this.what },
      make("div", { class: "row turn" }, this.back, make("label", { for: "page-number" }, this.what), this.number, make("span", {}, `of ${this.last}`), this.next),
      this.status,
      this.frame,
    );
  }

  async open(page, { chunk = "" } = {}) {
    this.page = page;
    this.words = null;
    this.number.value = String(page);
    this.back.disabled = page <= 1;
    this.next.disabled = page >= this.last;
    history.replaceState(null, "", this.context.link("document", { ...this.file, page, ...(chunk ? { chunk } : {}) }));
    const parameters = { ...this.file, page };
    this.showPicture(parameters);
    try {
      const read = await ask("files/page/reading", { parameters, signal: this.context.signal });
      if (this.page !== page) return;
      const { chunks } = read;
      this.showRead(read, chunks);
      say(`${this.what} ${page} of ${this.last}`);
      const hit = chunks.find((each) => each.chunk_id === chunk);
      if (hit) this.point(hit.text, document.getElementById(`chunk-${hit.index}`));
    } catch (error) {
      if (error.name !== "AbortError") this.column.replaceChildren(alertOf(error));
    }
  }

  showPicture(parameters) {
    this.marks = make("div", { class: "marks" });
    this.status.textContent = "";
    if (!this.reading.has_page_images) {
      this.pane.classList.add("without-picture");
      this.frame.replaceChildren();
      return;
    }
    this.status.textContent = "The page is being drawn…";
    const image = make("img", { src: address("files/page", parameters), alt: `${this.what} ${this.page} as a picture` });
    image.addEventListener("load", () => (this.status.textContent = ""));
    image.addEventListener("error", () => this.sayWhyNot(parameters));
    this.frame.replaceChildren(image, this.marks);
  }

  async sayWhyNot(parameters) {
    this.frame.replaceChildren();
    try {
      await ask("files/page/words", { parameters });
      this.status.textContent = "The picture of the page could not be loaded.";
    } catch (error) {
      this.status.textContent = error.message;
    }
  }

  showRead(read, chunks) {
    this.column.replaceChildren(
      make(
        "section",
        { "aria-label": "What was read" },
        make("h2", {}, "What was read"),
        read.problems.map((problem) => make("p", { class: "alert" }, problem)),
        read.warnings.map((warning) => make("p", { class: "warn" }, warning)),
        read.elements.length || read.problems.length ? "" : make("p", { class: "empty" }, "No text."),
        read.elements.map((element) => this.elementOf(element)),
      ),
      make(
        "section",
        { "aria-label": "Chunks" },
        make("h2", {}, `Chunks: ${this.reading.pages ? chunks.length : this.reading.chunks}`),
        chunks.map((chunk) => this.chunkOf(chunk)),
        chunks.length < (this.reading.pages ? 0 : this.reading.chunks) && make("p", { class: "small" }, `The first ${chunks.length} are shown.`),
      ),
    );
  }

  chunkOf(chunk) {
    const about = [`Chunk ${chunk.index + 1}`, countOf(chunk.words, "word"), chunk.pages.length ? `page ${chunk.pages.join(", ")}` : "", chunk.section.join(" › ")];
    const card = make(
      "article",
      { class: "card chunk", id: `chunk-${chunk.index}`, "aria-label": `Chunk ${chunk.index + 1}` },
      make("p", { class: "small" }, about.filter(Boolean).join(" · ")),
      make("p", { class: "text" }, chunk.text),
      this.pointer(chunk.text, () => card, `chunk ${chunk.index + 1}`),
    );
    return card;
  }

  elementOf(element) {
    const text = element.picture ? [element.text, element.picture.text].filter(Boolean).join("\n") : element.text;
    const card = make(
      "article",
      { class: `element ${element.type}`, "aria-label": element.type },
      make("p", { class: "type" }, element.type),
      element.type === "Table" ? tableOf(element.text) : element.text && make(element.type === "CodeSnippet" ? "pre" : "p", { class: "text", tabindex: element.type === "CodeSnippet" ? "0" : undefined }, element.text),
      element.picture && this.pictureOf(element.picture),
      text.trim() && this.pointer(text, () => card, `this ${element.type}`),
    );
    return card;
  }

  pictureOf(picture) {
    const sure = picture.confidence === null ? "" : `sure of the text: ${Math.round(picture.confidence * 100)} %`;
    const about = [picture.model ? `read by ${picture.model}` : "", sure].filter(Boolean).join(", ");
    const image = picture.is_page || !picture.width
      ? ""
      : make("img", { src: address("files/picture", { ...this.file, sha256: picture.sha256 }), alt: picture.caption || "Picture of the document", loading: "lazy", width: String(picture.width), height: String(picture.height) });
    return make(
      "figure",
      {},
      image,
      make(
        "figcaption",
        {},
        picture.caption && make("p", {}, picture.caption),
        picture.text && make("p", { class: "text" }, picture.text),
        picture.problem && make("p", { class: "alert" }, picture.problem),
        picture.is_doubtful && make("p", { class: "warn" }, "The model is not sure of this text; a person should check it."),
        about && make("p", { class: "small" }, about),
      ),
    );
  }

  pointer(text, card, name) {
    if (!this.reading.has_page_images) return "";
    return make("button", { type: "button", class: "quiet", "aria-label": `Show the place of ${name}`, onclick: () => this.point(text, card()) }, "Show the place");
  }

  /** Mark where a text stands on the page's picture. */
  async point(text, card) {
    for (const each of this.column.querySelectorAll(".pointed")) each.classList.remove("pointed");
    card?.classList.add("pointed");
    card?.scrollIntoView({ block: "nearest" });
    if (!this.reading.has_page_images) return;
    const page = this.page;
    try {
      this.status.textContent = this.words ? "" : "Looking for the place…";
      this.words ??= (await ask("files/page/words", { parameters: { ...this.file, page }, signal: this.context.signal })).words;
    } catch (error) {
      if (error.name !== "AbortError") this.status.textContent = error.message;
      return;
    }
    if (this.page !== page) return;
    const places = placesOf(text, this.words);
    this.status.textContent = places.length ? "" : "Its place on the page was not found.";
    const share = (value) => `${(value * 100).toFixed(3)}%`;
    this.marks.replaceChildren(
      ...places.map((box) =>
        make("div", { class: "mark", style: { left: share(box.left), top: share(box.top), width: share(box.width), height: share(box.height) } }),
      ),
    );
    this.marks.firstChild?.scrollIntoView({ block: "center" });
    if (places.length) say("Its place is marked on the page");
  }
}
