/* The sign-in form: warns about clear text, guards against double submission and forgotten terms. */

import { once } from "./dom.js";

once("login", () => {
  const warning = document.getElementById("insecure-login-warning");
  if (warning) warning.hidden = window.isSecureContext;

  const form = document.getElementById("login-form");
  const submit = document.getElementById("login_submit");
  form?.addEventListener("submit", () => submit?.setAttribute("aria-busy", "true"));
  // Coming back with the browser's back button shows the page as it was left.
  window.addEventListener("pageshow", () => submit?.removeAttribute("aria-busy"));

  const link = document.getElementById("login_service");
  const terms = document.getElementById("login_terms_checkbox");
  if (link && terms) {
    link.addEventListener("click", (event) => {
      if (terms.reportValidity()) return;
      event.preventDefault();
      terms.focus();
    });
  }
});
