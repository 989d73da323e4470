/*
 * Building and changing the page: elements, messages to the visitor, dialogs.
 * Text is always inserted as text.
 */

/** An element. `on...` properties become listeners, `class` and the rest attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An icon of images/icons.svg. */
export function icon(name) {
  const sprite = document.documentElement.dataset.icons ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** Runs `work` once per page, however often and from wherever its module is loaded. */
export function once(name, work) {
  const done = document.documentElement;
  const mark = `ran-${name}`;
  if (done.hasAttribute(`data-${mark}`)) return;
  done.setAttribute(`data-${mark}`, "");
  work();
}

/** Tells the visitor something: `kind` is success, info, warning or danger. */
export function notify(message, kind = "info") {
  const place = document.getElementById("page-messages") ?? document.body;
  const close = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Close message", onclick: () => box.remove() },
    icon("close"),
  );
  const box = h("div", { class: `alert alert-${kind}`, role: kind === "danger" ? "alert" : "status" }, h("span", {}, message), close);
  place.append(box);
  if (kind !== "danger") window.setTimeout(() => box.remove(), 8000);
  return box;
}

/** Shows what went wrong. */
export function notifyError(error) {
  if (error.name === "AbortError") return;
  if (error.name !== "ApiError") console.error(error);
  notify(error.message, "danger");
}

/** Runs `work` with the button out of use; errors are shown. Returns whether it went well. */
export async function busy(button, work) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
    return true;
  } catch (error) {
    notifyError(error);
    return false;
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

let dialogs = 0;

/**
 * Opens a dialog with a form. `submit(form)` does the work; when it throws, the dialog
 * stays open and shows why. Resolves to true when done, false when dismissed.
 */
export function formDialog({ title, content, action, submit, danger = false, wide = false }) {
  dialogs += 1;
  const heading = `dialog-title-${dialogs}`;
  const problem = h("p", { class: "field-error", role: "alert" });
  const confirm = h("button", { type: "submit", class: `btn ${danger ? "btn-danger" : "btn-primary"}` }, action);
  const cancel = h("button", { type: "button", class: "btn", onclick: () => dialog.close() }, "Cancel");
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: heading }, title),
    content,
    problem,
    h("div", { class: "actions actions-end" }, cancel, confirm),
  );
  const dialog = h("dialog", { "aria-labelledby": heading, class: wide ? "dialog-wide" : null }, form);
  document.body.append(dialog);

  return new Promise((resolve) => {
    let done = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.textContent = "";
      confirm.disabled = true;
      confirm.setAttribute("aria-busy", "true");
      try {
        await submit(form, (text) => (confirm.textContent = text));
        done = true;
        dialog.close();
      } catch (error) {
        if (error instanceof TypeError) console.error(error);
        problem.textContent = error.message;
      } finally {
        confirm.disabled = false;
        confirm.removeAttribute("aria-busy");
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    dialog.showModal();
  });
}

/** Asks before something that cannot be undone, and does it. */
export function confirmDialog({ title, text, action, submit }) {
  return formDialog({ title, content: h("p", {}, text), action, submit, danger: true });
}

/** A labelled field around a control that is made here. */
export function field(label, control, help = null) {
  const id = control.id || `field-${Math.random().toString(36).slice(2, 9)}`;
  control.id = id;
  const hint = help ? h("p", { class: "form-text", id: `${id}-help` }, help) : null;
  if (hint) control.setAttribute("aria-describedby", hint.id);
  return h("div", { class: "field" }, h("label", { for: id }, label), control, hint);
}

/** A labelled check box. */
export function checkbox(label, properties = {}) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", ...properties }), h("span", {}, label));
}
