/* "1–50 of 230", back, forth, and how many per page. */

import { h } from "./dom.js";

const SIZES = [25, 50, 100, 200];

/** `view` has offset and limit; `onMove(offset, limit)` is called for another page. */
export function pager({ offset, limit, total, next }, shown, onMove) {
  const last = offset + shown;
  const sizes = [...new Set([...SIZES, limit])].sort((a, b) => a - b);
  const size = h(
    "select",
    { class: "form-select", "aria-label": "Entries per page", onchange: (event) => onMove(0, Number(event.target.value)) },
    sizes.map((number) => h("option", { value: number, selected: number === limit }, `${number} per page`)),
  );
  return h(
    "div",
    { class: "pager" },
    h("span", { role: "status" }, total ? `${offset + 1}–${last} of ${total}` : ""),
    h(
      "div",
      { class: "actions" },
      size,
      h("button", { type: "button", class: "btn", disabled: offset === 0, onclick: () => onMove(Math.max(0, offset - limit), limit) }, "Previous"),
      h("button", { type: "button", class: "btn", disabled: !next, onclick: () => onMove(next.offset, limit) }, "Next"),
    ),
  );
}
