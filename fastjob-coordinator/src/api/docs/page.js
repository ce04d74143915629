// Shows openapi.json, and sends requests that its reader fills in. Texts of the description and of
// answers are only ever inserted as text.

let token = "";
let api = null;
const streams = new Map();

/** Where the API is: a proxy in front of the coordinator may add a prefix to its paths. */
const base = location.origin + location.pathname.replace(/\/api\/v1\/docs\/?$/, "");

const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text in which `code` is marked. */
function prose(text) {
  return (text ?? "").split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

const headers = (more = {}) => (token ? { authorization: `Bearer ${token}`, ...more } : more);

function follow(part) {
  let found = part;
  while (found?.$ref) {
    const path = found.$ref.slice(2).split("/");
    found = path.reduce((at, name) => at?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], api);
  }
  return found;
}

const nameOf = (schema) => schema?.$ref?.split("/").pop();

/** The short form of a schema, such as `TaskState | null`. */
function short(schema) {
  if (!schema) return "any";
  if (schema.$ref) return nameOf(schema);
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (schema.oneOf) return schema.oneOf.map(short).join(" | ");
  const types = [schema.type ?? "any"].flat().map((type) => {
    if (type === "array") return `${short(schema.items)}[]`;
    if (type === "object" && schema.additionalProperties?.type) {
      return `{ [key]: ${short(schema.additionalProperties)} }`;
    }
    return type === "string" && schema.format ? schema.format : type;
  });
  return types.join(" | ");
}

function bounds(schema) {
  const texts = [];
  const { minimum, maximum, maxLength, maxItems } = schema ?? {};
  if (minimum !== undefined && maximum !== undefined) texts.push(`${minimum} to ${maximum}`);
  else if (maximum !== undefined) texts.push(`at most ${maximum}`);
  if (maxLength !== undefined) texts.push(`at most ${maxLength} bytes`);
  if (maxItems !== undefined) texts.push(`at most ${maxItems}`);
  return texts.join(", ");
}

/** The fields of a schema, those of other schemas folded in it. */
function fields(schema, depth = 0) {
  const whole = follow(schema) ?? {};
  const inner = (part) => {
    const items = part?.items ?? part;
    const forms = [items, ...(items?.oneOf ?? [])];
    const all = forms.flatMap((each) => (each?.$ref ? [each, ...(follow(each)?.oneOf ?? [])] : []));
    return all.filter((each) => each.$ref && follow(each)?.properties);
  };
  if (!whole.properties) {
    const parts = (whole.oneOf ?? []).filter((part) => follow(part)?.properties);
    return make("div", {}, make("code", {}, short(whole)), ...parts.map((part) => fields(part, depth)));
  }
  const list = make("dl");
  for (const [name, field] of Object.entries(whole.properties)) {
    const needed = whole.required?.includes(name) ? "" : ", optional";
    const limit = bounds(field);
    list.append(
      make("dt", {}, make("code", {}, name), " ",
        make("span", { class: "faint" }, short(field) + needed + (limit ? `, ${limit}` : ""))),
      make("dd", {}, ...prose(field.description)),
    );
    for (const part of depth < 4 ? inner(field) : []) {
      const more = make("details", {}, make("summary", {}, nameOf(part)));
      more.addEventListener("toggle", () => {
        if (more.open && more.children.length === 1) more.append(fields(part, depth + 1));
      });
      list.append(make("dd", {}, more));
    }
  }
  return list;
}

function input(id, parameter) {
  const schema = follow(parameter.schema) ?? {};
  const words = schema.enum;
  if (words) {
    const choice = make("select", { id, name: parameter.name });
    choice.append(make("option", { value: "" }, ""), ...words.map((word) => make("option", {}, word)));
    return choice;
  }
  const hint = parameter.example ?? (schema.type === "array" ? "a, b" : (schema.examples?.[0] ?? ""));
  const kind = schema.type === "integer" ? "number" : "text";
  return make("input", {
    id, name: parameter.name, type: kind, min: schema.minimum, max: schema.maximum,
    placeholder: hint, required: parameter.required, autocomplete: "off", spellcheck: "false",
  });
}

function parameters(id, operation) {
  return (operation.parameters ?? []).map((parameter) => {
    const own = `${id}-${parameter.in}-${parameter.name}`;
    const control = input(own, parameter);
    control.dataset.in = parameter.in;
    control.setAttribute("aria-describedby", `${own}-about`);
    const limit = bounds(follow(parameter.schema));
    return make("div", { class: "field" },
      make("label", { for: own }, make("code", {}, parameter.name),
        make("span", { class: "faint" }, ` ${parameter.in}${parameter.required ? ", needed" : ""}`)),
      control,
      make("p", { id: `${own}-about` }, ...prose(parameter.description), limit ? ` (${limit})` : ""));
  });
}

function answers(operation) {
  const list = make("dl");
  for (const [status, reference] of Object.entries(operation.responses)) {
    const response = follow(reference);
    const about = reference.description || response.description;
    list.append(make("dt", {}, make("code", {}, status), " ",
      make("span", { class: "faint" }, ...prose(about))));
    for (const [media, content] of Object.entries(response.content ?? {})) {
      if (media === "application/problem+json") continue;
      const more = make("details", {},
        make("summary", {}, media, " ", make("code", {}, short(content.schema))));
      more.addEventListener("toggle", () => {
        if (!more.open || more.children.length > 1) return;
        more.append(make("p", {}, ...prose(content.description)), fields(content.schema));
        if (content.example !== undefined) {
          more.append(make("pre", { tabindex: "0", "aria-label": "Example" }, shown(content.example)));
        }
      });
      list.append(make("dd", {}, more));
    }
  }
  return list;
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** The request that a form describes. */
function request(form, path, method) {
  let filled = path;
  const query = new URLSearchParams();
  const more = {};
  for (const control of form.querySelectorAll("[data-in]")) {
    const value = control.value.trim();
    if (control.dataset.in === "path") {
      filled = filled.replace(`{${control.name}}`, encodeURIComponent(value));
    } else if (value && control.dataset.in === "query") query.append(control.name, value);
    else if (value && control.dataset.in === "header") more[control.name] = value;
  }
  const body = form.querySelector("textarea")?.value.trim();
  if (body) more["content-type"] = "application/json";
  if (form.querySelector("[name=events]")?.checked) more.accept = "text/event-stream";
  const text = query.toString();
  return { url: base + filled + (text ? `?${text}` : ""), method, headers: more, body: body || undefined };
}

/** The same request as a command. */
function command({ url, method, headers: more, body }) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", "-X", method, quote(url)];
  if (token) parts.push("-H", '"authorization: Bearer $FASTJOB_TOKEN"');
  for (const [name, value] of Object.entries(more)) parts.push("-H", quote(`${name}: ${value}`));
  if (body) parts.push("-d", quote(body));
  return parts.join(" ");
}

const SHOWN = 200_000;

async function send(form, output, path, method) {
  const asked = request(form, path, method);
  streams.get(form)?.abort();
  const stop = new AbortController();
  streams.set(form, stop);
  const state = make("p", { role: "status" }, "Sending…");
  const text = make("pre", { tabindex: "0", "aria-label": "Answer" });
  const sent = make("pre", { tabindex: "0", "aria-label": "The request as a command" }, command(asked));
  output.replaceChildren(state, sent, text);
  const begun = performance.now();
  try {
    const answer = await fetch(asked.url, {
      method, body: asked.body, headers: headers(asked.headers), signal: stop.signal,
    });
    const took = Math.round(performance.now() - begun);
    state.className = answer.ok ? "good" : "bad";
    state.textContent = `${answer.status} ${answer.statusText} in ${took} ms`;
    const names = ["etag", "fastjob-saved", "location", "retry-after"];
    for (const name of names.filter((name) => answer.headers.has(name))) {
      state.append(`, ${name}: ${answer.headers.get(name)}`);
    }
    const media = answer.headers.get("content-type") ?? "";
    if (media.startsWith("text/event-stream")) await stream(answer, text);
    else text.textContent = pretty(await answer.text());
  } catch (error) {
    state.className = "bad";
    state.textContent =
      error.name === "AbortError" ? "Stopped." : `The coordinator did not answer: ${error.message}`;
  }
  if (streams.get(form) === stop) streams.delete(form);
}

async function stream(answer, into) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    into.textContent = (into.textContent + piece.value).slice(-SHOWN);
    into.scrollTop = into.scrollHeight;
  }
}

function pretty(text) {
  let whole = text;
  try {
    whole = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // It is not JSON: shown as it is.
  }
  return whole.length > SHOWN ? `${whole.slice(0, SHOWN)}\n… ${whole.length - SHOWN} more` : whole;
}

function open(details, path, method, operation) {
  const id = operation.operationId;
  const form = make("form", { class: "try" });
  const content = operation.requestBody?.content["application/json"];
  form.append(...parameters(id, operation));
  if (content) {
    const needed = operation.requestBody.required ? "" : ", optional";
    const schema = make("details", {}, make("summary", {}, `Fields of ${short(content.schema)}`));
    schema.addEventListener("toggle", () => {
      if (schema.open && schema.children.length === 1) schema.append(fields(content.schema));
    });
    const area = make("textarea", { id: `${id}-body`, spellcheck: "false" });
    area.value = shown(content.example ?? {});
    form.append(make("h3", {}, make("label", { for: `${id}-body` }, `Body${needed}`)), area, schema);
  }
  const output = make("div");
  const actions = make("div", { class: "actions" }, make("button", {}, `Send ${method}`));
  if (follow(operation.responses["200"])?.content?.["text/event-stream"]) {
    const events = `${id}-events`;
    actions.append(make("input", { id: events, name: "events", type: "checkbox" }),
      make("label", { for: events }, "as events"));
  }
  const stop = make("button", { type: "button" }, "Stop");
  stop.addEventListener("click", () => streams.get(form)?.abort());
  actions.append(stop);
  form.append(actions);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (method === "DELETE" && !confirm(`${operation.summary}?`)) return;
    void send(form, output, path, method);
  });
  details.append(make("div", {},
    operation.description ? make("p", {}, ...prose(operation.description)) : null,
    form, output, make("h3", {}, "Answers"), answers(operation)));
}

function call(path, method, operation) {
  const details = make("details", { class: "call", id: operation.operationId },
    make("summary", {}, make("span", { class: `method ${method}` }, method),
      make("code", {}, path), make("span", {}, operation.summary)));
  details.dataset.text = `${method} ${path} ${operation.summary} ${operation.tags}`.toLowerCase();
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) open(details, path, method, operation);
    if (details.open) history.replaceState(null, "", `#${operation.operationId}`);
  });
  return details;
}

function show() {
  byId("version").textContent = api.info.version;
  const groups = new Map(api.tags.map((tag) => [tag.name, []]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      groups.get(operation.tags[0])?.push(call(path, method.toUpperCase(), operation));
    }
  }
  const sections = api.tags.map((tag) =>
    make("section", { "aria-labelledby": `tag-${tag.name}` },
      make("h2", { id: `tag-${tag.name}` }, tag.name), make("p", { class: "faint" }, tag.description),
      ...groups.get(tag.name)));
  const about = api.info.description.split("\n\n").map((part) => make("p", {}, ...prose(part)));
  byId("calls").replaceChildren(...about, ...sections);
  byId("nouns").replaceChildren(
    ...api.tags.map((tag) => make("a", { href: `#tag-${tag.name}` }, tag.name)));
  const target = location.hash && byId(location.hash.slice(1));
  if (target) {
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  }
}

async function load() {
  const state = byId("state");
  try {
    const answer = await fetch("openapi.json", { headers: headers() });
    if (answer.status === 401) {
      state.textContent = token
        ? "The token is wrong."
        : "Give the coordinator's token, or sign in to the console.";
      byId("token").focus();
      return;
    }
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    api = await answer.json();
    state.textContent = "";
    show();
  } catch (error) {
    state.textContent = `The description was not loaded: ${error.message}`;
  }
}

byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  void load();
});

byId("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const details of document.querySelectorAll("details.call")) {
    details.hidden = !words.every((word) => details.dataset.text.includes(word));
  }
  for (const section of document.querySelectorAll("main section")) {
    section.hidden = ![...section.querySelectorAll("details.call")].some((each) => !each.hidden);
  }
});

void load();
