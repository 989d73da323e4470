/*
 * Runs first and at once, as a classic script in the head: applies the remembered
 * colour theme before anything is painted, and publishes what the hub says about
 * this page as `window.jhdata`, which operators' scripts read.
 */
(function () {
  "use strict";

  const root = document.documentElement;
  root.classList.add("js");

  try {
    const theme = window.localStorage.getItem("perijove-theme");
    if (theme === "light" || theme === "dark") root.dataset.bsTheme = theme;
  } catch {
    // Storage may be forbidden; the system's theme applies then.
  }

  const data = document.getElementById("jhdata-json");
  window.jhdata = data ? JSON.parse(data.textContent) : {};
})();
