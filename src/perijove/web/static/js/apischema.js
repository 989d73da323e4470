/* A JSON schema as nested lists; models are linked, not repeated. */

import { h } from "./dom.js";

function nameOf(reference) {
  return decodeURIComponent(reference.split("/").pop());
}

function joined(views, word) {
  return views.flatMap((view, index) => (index ? [` ${word} `, view] : [view]));
}

function limits(schema) {
  const notes = [];
  if (schema.format) notes.push(schema.format);
  if (schema.minimum !== undefined) notes.push(`at least ${schema.minimum}`);
  if (schema.exclusiveMinimum !== undefined) notes.push(`more than ${schema.exclusiveMinimum}`);
  if (schema.maximum !== undefined) notes.push(`at most ${schema.maximum}`);
  if (schema.minLength !== undefined) notes.push(`${schema.minLength} characters or more`);
  if (schema.maxLength !== undefined) notes.push(`${schema.maxLength} characters or fewer`);
  if (schema.pattern) notes.push(`matches ${schema.pattern}`);
  if (schema.default !== undefined) notes.push(`default ${JSON.stringify(schema.default)}`);
  return notes.join(", ");
}

/** The type in one line where it has one. */
function typeView(api, schema) {
  if (schema.$ref) return h("a", { href: `#model-${nameOf(schema.$ref)}` }, nameOf(schema.$ref));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  for (const [key, word] of [["anyOf", "or"], ["oneOf", "or"], ["allOf", "and"]]) {
    if (schema[key]) return h("span", {}, joined(schema[key].map((part) => typeView(api, part)), word));
  }
  if (schema.type === "array") return h("span", {}, "list of ", typeView(api, schema.items ?? {}));
  if (schema.type === "object" && !schema.properties && schema.additionalProperties instanceof Object) {
    return h("span", {}, "object of ", typeView(api, schema.additionalProperties));
  }
  return [].concat(schema.type ?? "anything").join(" or ");
}

function propertiesOf(schema) {
  if (schema.properties) return schema;
  if (schema.type === "array" && schema.items) return propertiesOf(schema.items);
  return null;
}

/** The whole schema: its type, limits, description and properties. */
export function schemaView(api, schema, nested = false) {
  const about = limits(schema);
  const owner = propertiesOf(schema);
  const required = new Set(owner?.required ?? []);
  return h(
    nested ? "span" : "div",
    { class: nested ? null : "schema" },
    typeView(api, schema),
    about ? h("span", { class: "note" }, ` (${about})`) : null,
    nested && schema.description ? h("span", { class: "note" }, ` ${schema.description}`) : null,
    owner
      ? h("ul", {}, Object.entries(owner.properties).map(([name, property]) => h("li", {}, h("strong", {}, name), required.has(name) ? h("span", { class: "note" }, " required") : null, ": ", schemaView(api, property, true))))
      : null,
  );
}
