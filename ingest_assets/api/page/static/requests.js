// Ask the service. Addresses are relative to the page, so that it works below any path of a proxy.

let csrfToken = "";

/** A request that was not answered as it was meant; `message` says what to do. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** Set the token that requests bring which change something. */
export function useToken(token) {
  csrfToken = token;
}

export function tokenHeaders() {
  return csrfToken ? { "X-CSRF-Token": csrfToken } : {};
}

/** Return an address with its parameters. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined));
  return `${path}?${query}`;
}

/** Ask for JSON; `body` is sent as JSON. */
export async function ask(path, { method = "GET", parameters, body, signal } = {}) {
  const headers = { Accept: "application/json", ...tokenHeaders() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(parameters ? address(path, parameters) : path, { method, headers, body: sent, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The service does not answer. Is it running, and are you online?");
  }
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json();
}

async function problemOf(response) {
  const text = await response.text();
  return problemIn(text, response.status);
}

/** Return the problem that an answer's text describes. */
export function problemIn(text, status) {
  try {
    const found = JSON.parse(text);
    return new Problem(status, found.code ?? "", sentence(found.detail ?? found.title));
  } catch {
    return new Problem(status, "", `The service answered ${status}. Try again later.`);
  }
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** Upload a form; `progress` hears the share that was sent. fetch cannot tell how much it has sent, so XMLHttpRequest. */
export function upload(form, { progress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "upload");
    for (const [name, value] of Object.entries(tokenHeaders())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => progress(event.loaded / Math.max(1, event.total)));
    request.addEventListener("load", () => {
      if (request.status === 202) resolve(JSON.parse(request.responseText));
      else reject(problemIn(request.responseText, request.status));
    });
    request.addEventListener("error", () =>
      reject(new Problem(0, "unreachable", "The upload broke off. Nothing of it was kept; send it again.")),
    );
    request.send(form);
  });
}

/** Yield the events of a stream as `{name, data}`; it is asked for again where it breaks off, until `done`. */
export async function* events(path, { signal }) {
  let heard = "";
  while (!signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream", ...(heard ? { "Last-Event-ID": heard } : {}) };
      const response = await fetch(path, { headers, signal });
      if (response.status === 204) return;
      if (!response.ok) throw await problemOf(response);
      for await (const event of eventsIn(response.body)) {
        heard = event.id || heard;
        yield event;
        if (event.name === "done") return;
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { name: "message", id: "", data: "" };
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) event.name = line.slice(6).trim();
        else if (line.startsWith("id:")) event.id = line.slice(3).trim();
        else if (line.startsWith("data:")) event.data += line.slice(5).trimStart();
      }
      if (event.data) yield event;
    }
  }
}
