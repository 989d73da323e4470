/* Starts the server by itself after the time the operator chose, unless the visitor says no. */

import { once } from "./dom.js";
import { withXsrf } from "./hubapi.js";

once("not-running", () => {
  const page = document.getElementById("not-running");
  const total = Number.parseFloat(page?.dataset.implicitSpawnSeconds ?? "0");
  if (!(total > 0)) return;

  const notice = document.getElementById("implicit-spawn");
  const when = document.getElementById("implicit-spawn-when");
  const cancel = document.getElementById("implicit-spawn-cancel");
  const end = Date.now() + total * 1000;

  function tick() {
    const left = (end - Date.now()) / 1000;
    if (left <= 0) {
      window.clearInterval(timer);
      location.assign(withXsrf(page.dataset.spawnUrl));
      return;
    }
    const seconds = Math.ceil(left);
    if (when) when.textContent = `in ${seconds} second${seconds === 1 ? "" : "s"}`;
  }

  const timer = window.setInterval(tick, 250);
  tick();
  if (notice) {
    notice.hidden = false;
    // Counting down aloud would drown everything else.
    notice.setAttribute("aria-live", "off");
  }
  if (cancel) {
    cancel.hidden = false;
    cancel.addEventListener("click", () => {
      window.clearInterval(timer);
      if (notice) notice.textContent = "It is not started by itself.";
      cancel.hidden = true;
    });
  }
});
