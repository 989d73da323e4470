/* Shows the hub's OpenAPI document: operations by subject, then the models. */

import { get } from "./hubapi.js";
import { h, once } from "./dom.js";
import { schemaView } from "./apischema.js";
import { tryIt } from "./apitry.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

/** Paragraphs and `code` of a description; the rest of Markdown is shown as it is. */
export function prose(text) {
  return (text ?? "")
    .trim()
    .split(/\n\s*\n/)
    .filter(Boolean)
    .map((paragraph) => h("p", {}, paragraph.split(/(`[^`]+`)/).map((piece) => (/^`.+`$/.test(piece) ? h("code", {}, piece.slice(1, -1)) : piece))));
}

/** A `$ref` followed to what it names. */
export function resolve(api, value) {
  let found = value;
  while (found?.$ref?.startsWith("#/")) {
    found = found.$ref
      .slice(2)
      .split("/")
      .reduce((node, key) => node?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], api);
  }
  return found ?? {};
}

function scopesOf(api, operation) {
  const security = operation.security ?? api.security ?? [];
  return [...new Set([...(operation["x-scopes"] ?? []), ...security.flatMap((entry) => Object.values(entry).flat())])];
}

function parametersTable(api, parameters) {
  if (parameters.length === 0) return null;
  const rows = parameters.map((parameter) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("code", {}, parameter.name), parameter.required ? h("span", { class: "muted" }, " required") : null),
      h("td", {}, parameter.in),
      h("td", {}, schemaView(api, parameter.schema ?? {}), prose(parameter.description)),
    ),
  );
  return [h("h4", {}, "Parameters"), h("div", { class: "table-wrap" }, h("table", { class: "table table-sm" }, h("tbody", {}, rows)))];
}

function contentView(api, content) {
  return Object.entries(content ?? {}).map(([type, media]) => [
    type === "application/json" ? null : h("p", { class: "muted" }, h("code", {}, type)),
    media.schema && Object.keys(media.schema).length ? schemaView(api, media.schema) : null,
  ]);
}

function operationView(api, path, method, operation, shared) {
  const parameters = [...(shared ?? []), ...(operation.parameters ?? [])].map((parameter) => resolve(api, parameter));
  const body = resolve(api, operation.requestBody);
  const scopes = scopesOf(api, operation);
  const details = h(
    "details",
    { class: `operation${operation.deprecated ? " deprecated" : ""}`, id: `${method}-${path}`.replace(/[^\w-]+/g, "-") },
    h(
      "summary",
      {},
      h("span", { class: "method", dataset: { method } }, method.toUpperCase()),
      h("code", {}, path),
      h("span", { class: "muted" }, operation.summary ?? ""),
      operation.deprecated ? h("span", { class: "badge" }, "deprecated") : null,
    ),
  );
  // Filled when it is opened first: there are many operations.
  details.addEventListener(
    "toggle",
    () => {
      details.append(
        h(
          "div",
          { class: "operation-body" },
          prose(operation.description),
          scopes.some((scope) => !operation.description?.includes(scope)) ? h("p", {}, "Needs one of ", scopes.map((scope) => [h("code", {}, scope), " "])) : null,
          parametersTable(api, parameters),
          body.content ? [h("h4", {}, body.required ? "Body" : "Body, optional"), prose(body.description), contentView(api, body.content)] : null,
          h("h4", {}, "Answers"),
          Object.entries(operation.responses ?? {}).map(([status, reference]) => {
            const response = resolve(api, reference);
            return h("div", { class: "answer" }, h("p", {}, h("code", {}, status), " ", response.description ?? ""), contentView(api, response.content));
          }),
          tryIt(api, path, method, parameters, body),
        ),
      );
    },
    { once: true },
  );
  return details;
}

function groups(api) {
  const byTag = new Map((api.tags ?? []).map((tag) => [tag.name, { about: tag.description, operations: [] }]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const tag = operation.tags?.[0] ?? "Other";
      if (!byTag.has(tag)) byTag.set(tag, { about: "", operations: [] });
      byTag.get(tag).operations.push({ element: operationView(api, path, method, operation, item.parameters), text: `${method} ${path} ${operation.summary ?? ""}`.toLowerCase() });
    }
  }
  return [...byTag].filter(([, { operations }]) => operations.length);
}

function modelsView(api) {
  const models = Object.entries(api.components?.schemas ?? {});
  if (models.length === 0) return null;
  return h(
    "section",
    { id: "models", "aria-labelledby": "models-title" },
    h("h2", { id: "models-title" }, "Models"),
    models.map(([name, schema]) =>
      h("details", { class: "operation", id: `model-${name}` }, h("summary", {}, h("code", {}, name)), h("div", { class: "operation-body" }, prose(schema.description), schemaView(api, schema))),
    ),
  );
}

function openTarget() {
  const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  if (!target) return;
  if (target instanceof HTMLDetailsElement) target.open = true;
  target.scrollIntoView();
}

function show(place, api) {
  const sections = groups(api);
  const anchor = (tag) => `tag-${tag.replace(/[^\w-]+/g, "-")}`;
  const filter = h("input", { type: "search", class: "form-control", placeholder: "Filter", "aria-label": "Filter the operations", autocomplete: "off" });
  const drawn = sections.map(([tag, { about, operations }]) => ({
    operations,
    element: h("section", { id: anchor(tag), "aria-labelledby": `${anchor(tag)}-title` }, h("h2", { id: `${anchor(tag)}-title` }, tag), prose(about), operations.map((entry) => entry.element)),
  }));
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { element, operations } of drawn) {
      for (const entry of operations) entry.element.hidden = !words.every((word) => entry.text.includes(word));
      element.hidden = operations.every((entry) => entry.element.hidden);
    }
  });
  const models = modelsView(api);
  place.append(
    h(
      "div",
      { class: "api-layout" },
      h(
        "nav",
        { class: "api-index", "aria-label": "Subjects" },
        h("p", {}, filter),
        h("ul", {}, sections.map(([tag]) => h("li", {}, h("a", { href: `#${anchor(tag)}` }, tag))), models ? h("li", {}, h("a", { href: "#models" }, "Models")) : null),
      ),
      h("div", {}, prose(api.info?.description), drawn.map(({ element }) => element), models),
    ),
  );
  openTarget();
  window.addEventListener("hashchange", openTarget);
}

once("api-docs", async () => {
  const place = document.getElementById("api-docs");
  if (!place) return;
  const status = document.getElementById("api-docs-status");
  try {
    const api = await get(new URL(place.dataset.openapiUrl, document.baseURI).pathname);
    show(place, api);
    status.textContent = `Version ${api.info?.version ?? "unknown"}. What you try here happens on this hub, in your name.`;
  } catch (error) {
    console.error(error);
    status.className = "alert alert-danger";
    status.textContent = `The description could not be loaded: ${error.message}`;
  }
});
