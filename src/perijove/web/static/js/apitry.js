/* Sends an operation for real, with the visitor's own session, and shows the answer. */

import { hubUrl, segment } from "./hubapi.js";
import { field, h } from "./dom.js";

const CHARACTERS_SHOWN = 20_000;

function addressOf(api, path, inputs) {
  const prefix = api.servers?.[0]?.url ?? hubUrl("api").replace(/\/$/, "");
  let filled = path;
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, segment(input.value));
    else if (parameter.in === "query" && input.value !== "") query.set(parameter.name, input.value);
  }
  // Some documents write paths from the root, others below a server's URL.
  const base = filled.startsWith(hubUrl()) ? "" : prefix.replace(/\/$/, "");
  const address = new URL(base + filled, document.baseURI);
  address.search = query;
  return address;
}

async function send(address, method, text) {
  const reply = await fetch(address, {
    method: method.toUpperCase(),
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-XSRFToken": window.jhdata.xsrf_token },
    body: method === "get" || method === "head" || !text.trim() ? undefined : text,
    credentials: "same-origin",
  });
  let answer = await reply.text();
  try {
    answer = JSON.stringify(JSON.parse(answer), null, 2);
  } catch {
    // Shown as it came.
  }
  return `${reply.status} ${reply.statusText}\n\n${answer.slice(0, CHARACTERS_SHOWN)}`;
}

/** A form for one operation, folded away; null for endless streams and sign-in forms. */
export function tryIt(api, path, method, parameters, body) {
  const types = Object.keys(body.content ?? {});
  if (path.endsWith("/progress") || (types.length && !types.includes("application/json"))) return null;
  const inputs = parameters
    .filter((parameter) => parameter.in === "path" || parameter.in === "query")
    .map((parameter) => ({
      parameter,
      input: h("input", { class: "form-control", type: "text", required: parameter.in === "path", autocapitalize: "off", spellcheck: "false" }),
    }));
  const text = types.length ? h("textarea", { class: "form-control", spellcheck: "false", placeholder: "{}" }) : null;
  const output = h("pre", { hidden: true, tabindex: 0, "aria-label": "Answer" });
  const button = h("button", { type: "submit", class: `btn btn-sm ${method === "delete" ? "btn-outline-danger" : "btn-outline-primary"}` }, "Send");
  const form = h(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        button.disabled = true;
        try {
          output.textContent = await send(addressOf(api, path, inputs), method, text?.value ?? "");
        } catch (error) {
          output.textContent = `No answer: ${error.message}`;
        } finally {
          button.disabled = false;
          output.hidden = false;
        }
      },
    },
    inputs.map(({ parameter, input }) => field(`${parameter.name} (${parameter.in})`, input)),
    text ? field("Body", text) : null,
    h("p", {}, button),
    output,
  );
  return h("details", {}, h("summary", {}, "Try it"), form);
}
