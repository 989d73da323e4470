/*
 * Shows a start as it goes: bar, message, log. When the server is ready the page asks the
 * hub for itself again and is sent on to the server; when the start fails it says why.
 */

import { get, remove } from "./hubapi.js";
import { busy, h, once } from "./dom.js";
import { followProgress, serverAddress } from "./progress.js";
import { safeHtml } from "./safehtml.js";

const POLL_MS = 1000;

once("spawn-pending", () => {
  const page = document.getElementById("spawn-pending");
  if (!page?.dataset.progressUrl) return;

  const progressUrl = page.dataset.progressUrl;
  const bar = document.getElementById("progress-bar");
  const meter = document.getElementById("progress");
  const message = document.getElementById("progress-message");
  const log = document.getElementById("progress-log");
  const stopButton = document.getElementById("stop");
  const retry = document.getElementById("retry");
  const heading = document.getElementById("pending-heading");
  const title = document.title;
  let cancelled = false;

  /**
   * The page again: by now the hub redirects to the server, or shows what went wrong.
   * Where it shows this page once more (another replica may lag), wait longer each time.
   */
  function again() {
    const round = Number(new URLSearchParams(location.hash.slice(1)).get("round") ?? 0);
    window.setTimeout(() => {
      const address = new URL(location.href);
      address.hash = `round=${round + 1}`;
      history.replaceState(null, "", address);
      location.reload();
    }, round * 500);
  }

  function show(event) {
    const percent = event.progress;
    if (typeof percent === "number") {
      bar.style.width = `${percent}%`;
      meter.setAttribute("aria-valuenow", String(Math.round(percent)));
      document.title = `${Math.round(percent)} % · ${title}`;
    }
    if (event.message || event.html_message) {
      const content = () => (event.html_message ? safeHtml(event.html_message) : event.message);
      message.replaceChildren(content());
      log.append(
        h("li", {}, h("span", {}, typeof percent === "number" ? `${Math.round(percent)} %` : ""), h("span", {}, content())),
      );
      log.scrollTop = log.scrollHeight;
    }
  }

  function showFailure(event) {
    document.title = `Start failed · ${title}`;
    if (heading) heading.textContent = "The start failed";
    bar.classList.add("failed");
    for (const id of ["orbit", "pending-hint"]) document.getElementById(id)?.setAttribute("hidden", "");
    message.className = "alert alert-danger";
    message.setAttribute("role", "alert");
    message.replaceChildren(event.html_message ? safeHtml(event.html_message) : (event.message ?? "The hub gave no reason."));
    document.getElementById("progress-details").open = true;
    stopButton.hidden = true;
    // Same user, server and `next`, one page earlier.
    retry.href = location.pathname.replace("/spawn-pending/", "/spawn/") + location.search;
    retry.hidden = false;
    retry.focus();
  }

  let last = null;
  const stopFollowing = followProgress(progressUrl, {
    onRestart: () => log.replaceChildren(),
    onEvent(event) {
      last = event;
      if (event.failed && !cancelled) showFailure(event);
      else show(event);
    },
    onTrouble(count) {
      if (count > 1 && !cancelled) message.textContent = "The connection to the hub broke. Trying again …";
    },
    onEnd() {
      if (cancelled || last?.failed) return;
      again();
    },
  });

  async function goHomeWhenStopped() {
    for (;;) {
      let model = null;
      try {
        model = await get(serverAddress(progressUrl));
      } catch (error) {
        if (error.status === 0) {
          await new Promise((resolve) => window.setTimeout(resolve, POLL_MS));
          continue;
        }
      }
      if (!model?.pending) break;
      await new Promise((resolve) => window.setTimeout(resolve, POLL_MS));
    }
    location.assign(document.getElementById("go-home").href);
  }

  stopButton.addEventListener("click", async () => {
    cancelled = true;
    const asked = await busy(stopButton, () => remove(serverAddress(progressUrl)));
    if (!asked) {
      cancelled = false;
      return;
    }
    stopFollowing();
    stopButton.disabled = true;
    message.textContent = "Cancelling …";
    await goHomeWhenStopped();
  });
});
