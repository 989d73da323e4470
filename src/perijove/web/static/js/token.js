/* Requests tokens and revokes them. */

import { post, remove, segment } from "./hubapi.js";
import { busy, confirmDialog, notify, notifyError, once } from "./dom.js";
import { showTimes } from "./times.js";

/** The lists as the hub draws them now (operators may have changed their rows). */
async function redrawLists() {
  const reply = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("token-lists");
  if (!reply.ok || !fresh) {
    location.reload();
    return;
  }
  document.getElementById("token-lists").replaceWith(document.adoptNode(fresh));
  showTimes();
}

function requestForm(user) {
  const form = document.getElementById("request-token-form");
  const area = document.getElementById("token-area");
  const result = document.getElementById("token-result");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = {};
    const note = document.getElementById("token-note")?.value.trim();
    if (note) body.note = note;
    const seconds = Number.parseInt(document.getElementById("token-expiration-seconds")?.value, 10);
    if (seconds > 0) body.expires_in = seconds;
    const scopes = document.getElementById("token-scopes")?.value.trim();
    if (scopes) body.scopes = scopes.split(/[\s,]+/);
    await busy(form.querySelector("[type=submit]"), async () => {
      const token = await post(`users/${segment(user)}/tokens`, body);
      result.textContent = token.token;
      area.hidden = false;
      area.focus();
      await redrawLists();
    });
  });

  document.getElementById("token-copy")?.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(result.textContent);
      notify("Copied.", "success");
    } catch {
      window.getSelection().selectAllChildren(result);
      notify("The browser does not allow copying. The token is selected: copy it with the keyboard.", "warning");
    }
  });
}

function revokeButtons(user) {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".revoke-token-btn");
    const row = button?.closest("[data-token-id]");
    if (!row) return;
    const client = row.classList.contains("client-row");
    const what = row.querySelector(".note-col")?.textContent.trim() ?? "";
    const done = await confirmDialog({
      title: client ? `End the access of ${what}?` : `Revoke the token “${what}”?`,
      text: client ? "All tokens that it holds for you end." : "Programs that use it are refused from now on.",
      action: client ? "End access" : "Revoke",
      async submit() {
        const path = `users/${segment(user)}/tokens/${segment(row.dataset.tokenId)}`;
        try {
          await remove(path);
        } catch (error) {
          // Gone already, in another tab or because it expired.
          if (error.status !== 404) throw error;
        }
      },
    });
    if (!done) return;
    try {
      await redrawLists();
    } catch (error) {
      notifyError(error);
    }
  });
}

once("token", () => {
  const page = document.getElementById("tokens");
  if (!page) return;
  requestForm(page.dataset.user);
  revokeButtons(page.dataset.user);
});
