/* The form of server options: one submission at a time, with a sign that it is under way. */

import { once } from "./dom.js";

once("spawn", () => {
  const form = document.getElementById("spawn_form");
  const button = document.getElementById("spawn_submit");
  if (!form || !button) return;
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    // A script of the form itself may still call the submission off.
    queueMicrotask(() => {
      if (event.defaultPrevented) return;
      sent = true;
      button.setAttribute("aria-busy", "true");
    });
  });
  window.addEventListener("pageshow", () => {
    sent = false;
    button.removeAttribute("aria-busy");
  });
});
