/* Waits until a server has stopped, then asks the hub for the page again. */

import { get } from "./hubapi.js";
import { once } from "./dom.js";
import { serverAddress } from "./progress.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
const FAILURES_BEFORE_RELOAD = 4;

once("stop-pending", async () => {
  const page = document.getElementById("stop-pending");
  if (!page?.dataset.progressUrl) return;
  const words = document.querySelector("#stop-status span:last-child");
  const address = serverAddress(page.dataset.progressUrl);
  let wait = FIRST_WAIT_MS;
  let failures = 0;
  for (;;) {
    await new Promise((resolve) => window.setTimeout(resolve, wait));
    wait = Math.min(wait * 1.5, LONGEST_WAIT_MS);
    try {
      const model = await get(address);
      failures = 0;
      if (model?.pending !== "stop") break;
      if (words) words.textContent = "Waiting …";
    } catch (error) {
      // A named server that was deleted is gone when it has stopped.
      if (error.status === 404) {
        location.replace(document.getElementById("refresh").href);
        return;
      }
      failures += 1;
      if (words) words.textContent = error.message;
      if (failures >= FAILURES_BEFORE_RELOAD && error.status !== 0) break;
    }
  }
  location.replace(location.href);
});
