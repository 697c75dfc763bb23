// Show who is signed in and the view that the address names. Views are modules with `show(place, context)`.

import { make, say, alertOf } from "./elements.js";
import { ask, useToken } from "./requests.js";
import { show as showFiles } from "./files.js";
import { show as showDocument } from "./document.js";
import { show as showSearch } from "./search.js";
import { show as showHost } from "./host.js";

const VIEWS = {
  files: { title: "Files", show: showFiles },
  search: { title: "Search", show: showSearch },
  host: { title: "Host", show: showHost },
  document: { title: "Document", show: showDocument },
};
const main = document.getElementById("main");
const header = document.getElementById("header");
let session = null;
let leaving = new AbortController();

/** Return the view's name and parameters in the address. */
function wanted() {
  const [name, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: VIEWS[name] ? name : "files", parameters: new URLSearchParams(query) };
}

/** Return the project that is looked at. */
function owner() {
  const { parameters } = wanted();
  if (parameters.has("user_id")) {
    return { user_id: parameters.get("user_id"), project_id: parameters.get("project_id") ?? "" };
  }
  const last = JSON.parse(sessionStorage.getItem("owner") ?? "null");
  return last ?? session.projects[0] ?? { user_id: "", project_id: "" };
}

/** Return the address of a view. */
export function link(name, parameters = {}) {
  return `#/${name}?${new URLSearchParams({ ...owner(), ...parameters })}`;
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  if (session === null && !(await signedIn())) return showSignIn();
  const { name, parameters } = wanted();
  const chosen = owner();
  sessionStorage.setItem("owner", JSON.stringify(chosen));
  showHeader(name, chosen);
  document.title = `${VIEWS[name].title} · ingest_assets`;
  const heading = make("h1", { tabindex: "-1" }, VIEWS[name].title);
  const place = make("div", { class: `view ${name}` });
  main.replaceChildren(heading, place);
  if (document.activeElement === document.body || main.contains(document.activeElement)) {
    heading.focus({ preventScroll: true });
  }
  if (!chosen.user_id || !chosen.project_id) {
    if (name !== "host") return place.append(projectForm());
  }
  try {
    const context = { session, owner: chosen, parameters, heading, signal: leaving.signal, link };
    await VIEWS[name].show(place, context);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 401) return (session = null), showSignIn();
    place.append(alertOf(error));
  }
}

async function signedIn() {
  try {
    session = await ask("session");
  } catch (error) {
    if (error.status !== 401) main.replaceChildren(make("h1", {}, "ingest_assets"), alertOf(error));
    return false;
  }
  useToken(session.csrf_token);
  return true;
}

function showHeader(current, chosen) {
  const links = ["files", "search", "host"].map((name) =>
    make(
      "li",
      {},
      make("a", { href: link(name), "aria-current": name === current ? "page" : undefined }, VIEWS[name].title),
    ),
  );
  header.replaceChildren(
    make("p", { class: "name" }, "ingest_assets"),
    make("nav", { "aria-label": "Views" }, make("ul", {}, links)),
    projectChoice(chosen),
    session.csrf_token && make("button", { type: "button", class: "quiet", onclick: signOut }, "Sign out"),
  );
}

function projectChoice(chosen) {
  const known = [...session.projects];
  const isKnown = known.some((each) => each.user_id === chosen.user_id && each.project_id === chosen.project_id);
  if (chosen.user_id && !isKnown) known.unshift(chosen);
  const options = known.map((each, index) =>
    make(
      "option",
      { value: index, selected: each.user_id === chosen.user_id && each.project_id === chosen.project_id },
      `${each.user_id} / ${each.project_id}`,
    ),
  );
  const mayNameOthers = session.scopes.some((scope) => !scope.includes("/"));
  if (mayNameOthers) options.push(make("option", { value: "other" }, "Another project…"));
  const select = make("select", { id: "project", onchange: () => choose(known[select.value]) }, options);
  return make("div", { class: "owner" }, make("label", { for: "project" }, "Project"), select);
}

function choose(project) {
  if (!project) return askForProject();
  const { name } = wanted();
  location.hash = link(name === "document" ? "files" : name, {
    user_id: project.user_id,
    project_id: project.project_id,
  });
}

function projectForm() {
  const user = make("input", { id: "user", required: true, maxlength: 255, autocomplete: "off" });
  const project = make("input", { id: "named-project", required: true, maxlength: 255, autocomplete: "off" });
  if (session.scopes.length === 1 && !session.scopes[0].includes("*")) user.value = session.scopes[0].split("/")[0];
  const submitted = (event) => {
    event.preventDefault();
    choose({ user_id: user.value.trim(), project_id: project.value.trim() });
  };
  return make(
    "form",
    { class: "card", onsubmit: submitted },
    make("p", {}, "Files belong to a user and a project. A new name makes a new project with its first file."),
    make("label", { for: "user" }, "User"),
    user,
    make("label", { for: "named-project" }, "Project"),
    project,
    make("button", { type: "submit", class: "primary" }, "Open the project"),
  );
}

function askForProject() {
  const heading = make("h1", { tabindex: "-1" }, "Another project");
  main.replaceChildren(heading, projectForm());
  heading.focus();
}

function showSignIn() {
  header.replaceChildren(make("p", { class: "name" }, "ingest_assets"));
  document.title = "Sign in · ingest_assets";
  if (main.querySelector("[role=alert]") && !main.querySelector("form")) return; // the service is away
  const key = make("input", { id: "key", type: "password", required: true, autocomplete: "off", maxlength: 200 });
  const wrong = make("div");
  const submitted = async (event) => {
    event.preventDefault();
    try {
      session = await ask("session", { method: "POST", body: { key: key.value } });
    } catch (error) {
      wrong.replaceChildren(alertOf(error));
      return key.focus();
    }
    useToken(session.csrf_token);
    sessionStorage.removeItem("owner");
    say("Signed in");
    await show();
  };
  main.replaceChildren(
    make("h1", {}, "Sign in"),
    make(
      "form",
      { class: "card", onsubmit: submitted },
      make("p", {}, "Paste your key. It begins with ia_; the operator makes one with ", make("code", {}, "ingest keys add"), "."),
      make("label", { for: "key" }, "Key"),
      key,
      wrong,
      make("button", { type: "submit", class: "primary" }, "Sign in"),
    ),
  );
  key.focus();
}

async function signOut() {
  await ask("session", { method: "DELETE" }).catch(() => {});
  session = null;
  useToken("");
  sessionStorage.removeItem("owner");
  location.hash = "";
  showSignIn();
  say("Signed out");
}

addEventListener("hashchange", show);
show();
