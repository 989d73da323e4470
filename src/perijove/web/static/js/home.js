/*
 * The visitor's servers: their states kept true while the page is open, stop, delete,
 * and the form for a new one. Starting is a link, because the hub may have questions.
 */

import { ApiError, get, remove, segment, serverPath, withXsrf } from "./hubapi.js";
import { busy, confirmDialog, once } from "./dom.js";
import { timeElement } from "./times.js";

const POLL_PENDING_MS = 1500;
const POLL_QUIET_MS = 20_000;
const NAME_LENGTH = 30;

const WORDS = {
  ready: "Running",
  spawn: "Starting",
  stop: "Stopping",
  check: "Checking",
  rename: "Renaming",
  stopped: "Stopped",
};

/** A server name made of what somebody typed: lower-case letters, digits, single hyphens. */
export function nameFrom(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[ßæœøłđ]/g, (letter) => ({ ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d" })[letter])
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, NAME_LENGTH)
    .replace(/-+$/, "");
}

function stateOf(model) {
  if (!model) return "stopped";
  return model.pending ?? (model.ready ? "ready" : "stopped");
}

class HomePage {
  constructor(page) {
    this.page = page;
    this.user = page.dataset.user;
    this.main = document.getElementById("default-server");
    this.table = document.getElementById("named-servers");
    this.timer = null;
    this.asked = 0;
    page.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
    if (this.table) this.prepareForm();
    this.tableChanged();
    this.refresh();
  }

  rows() {
    return [...(this.table?.querySelectorAll("tr[data-server-name]") ?? [])];
  }

  part(row, role) {
    return row.querySelector(`[data-role="${role}"]`);
  }

  // -- showing ------------------------------------------------------------

  show(row, model) {
    const state = stateOf(model);
    const named = row.dataset.serverName !== "";
    const status = this.part(row, "status");
    if (status.dataset.state !== state) {
      status.dataset.state = state;
      status.textContent = WORDS[state];
      const name = named ? row.dataset.serverName : "Your server";
      document.getElementById("server-news").textContent = `${name}: ${WORDS[state]}`;
    }
    if (model?.url) row.dataset.url = model.full_url ?? model.url;
    if (named && model?.display_name) this.part(row, "title").textContent = model.display_name;
    const activity = this.part(row, "activity");
    if (model?.last_activity) activity.replaceChildren(timeElement(model.last_activity));
    const line = this.part(row, "activity-line");
    if (line) line.hidden = !model?.last_activity;

    const go = this.part(row, "go");
    const open = named ? "Open" : "Open my server";
    const start = named ? "Start" : "Start my server";
    go.textContent = { ready: open, spawn: "Show progress" }[state] ?? start;
    go.href = { ready: row.dataset.url, spawn: row.dataset.pendingUrl }[state] ?? row.dataset.spawnUrl;
    const startable = !("notStartable" in row.dataset);
    go.hidden = ["stop", "check", "rename"].includes(state) || (state === "stopped" && !startable);
    this.part(row, "stop").hidden = !["ready", "spawn", "check"].includes(state);
    const deleteButton = this.part(row, "delete");
    if (deleteButton) deleteButton.hidden = state !== "stopped";
  }

  addRow(name, model) {
    const template = document.getElementById("server-row-template");
    const row = template.content.querySelector("tr").cloneNode(true);
    row.dataset.serverName = name;
    row.dataset.url = model.url;
    row.dataset.spawnUrl = `${this.page.dataset.spawnBase}/${segment(name)}`;
    row.dataset.pendingUrl = `${this.page.dataset.pendingBase}/${segment(name)}`;
    this.part(row, "title").textContent = model.display_name || name;
    this.table.querySelector("tbody").append(row);
    return row;
  }

  tableChanged() {
    if (!this.table) return;
    const count = this.rows().length;
    const limit = Number(this.page.dataset.limit);
    this.table.hidden = count === 0;
    document.getElementById("no-named-servers").hidden = count > 0;
    const counter = document.getElementById("named-server-count");
    if (counter) counter.textContent = `${count} of ${limit}`;
    const full = limit > 0 && count >= limit;
    document.getElementById("new-server-btn").disabled = full;
    document.getElementById("new-server-name").disabled = full;
    if (full) document.getElementById("new-server-hint").textContent = `You have all ${limit} servers that you may have. Delete one to add another.`;
  }

  // -- asking -------------------------------------------------------------

  async refresh() {
    window.clearTimeout(this.timer);
    this.asked += 1;
    const question = this.asked;
    let pending = false;
    try {
      const { servers } = await get(`users/${segment(this.user)}`, { query: { include_stopped_servers: "1" } });
      // An answer that was overtaken by a newer question says nothing any more.
      if (question !== this.asked) return;
      if (servers) {
        this.showAll(servers);
        pending = Object.values(servers).some((model) => model.pending);
      }
    } catch (error) {
      // Signed out or not allowed: the page stays as the hub drew it.
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 403 || error.status === 404) return;
    }
    if (question !== this.asked || document.hidden) return;
    this.timer = window.setTimeout(() => this.refresh(), pending ? POLL_PENDING_MS : POLL_QUIET_MS);
  }

  showAll(servers) {
    this.show(this.main, servers[""]);
    if (!this.table) return;
    for (const row of this.rows()) {
      if (!(row.dataset.serverName in servers)) row.remove();
    }
    const known = new Map(this.rows().map((row) => [row.dataset.serverName, row]));
    for (const [name, model] of Object.entries(servers)) {
      if (name !== "") this.show(known.get(name) ?? this.addRow(name, model), model);
    }
    this.tableChanged();
  }

  // -- acting -------------------------------------------------------------

  async clicked(event) {
    const button = event.target.closest("button[data-role]");
    const row = button?.closest("[data-server-name]");
    if (!row) return;
    const name = row.dataset.serverName;
    if (button.dataset.role === "stop") {
      await busy(button, () => remove(serverPath(this.user, name)));
    } else if (button.dataset.role === "delete") {
      const title = this.part(row, "title").textContent;
      const done = await confirmDialog({
        title: `Delete the server “${title}”?`,
        text: "Its settings are deleted. What happens to its files depends on this hub.",
        action: "Delete",
        submit: () => remove(serverPath(this.user, name), { remove: true }),
      });
      if (!done) return;
    }
    await this.refresh();
  }

  prepareForm() {
    const form = document.getElementById("add-server");
    const input = document.getElementById("new-server-name");
    const hint = document.getElementById("new-server-hint");
    const problem = document.getElementById("new-server-problem");
    input.addEventListener("input", () => {
      const name = nameFrom(input.value);
      problem.textContent = "";
      input.removeAttribute("aria-invalid");
      hint.textContent = name ? `Its address ends in ${segment(this.user)}/${name}/` : "";
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = nameFrom(input.value);
      const taken = this.rows().some((row) => row.dataset.serverName === name);
      if (!name || taken) {
        problem.textContent = taken ? "You have a server with this name." : "Give it a name that contains a letter from a to z.";
        input.setAttribute("aria-invalid", "true");
        input.focus();
        return;
      }
      const address = new URL(`${this.page.dataset.spawnBase}/${segment(name)}`, document.baseURI);
      const typed = input.value.trim().normalize("NFC");
      if (typed !== name) address.searchParams.set("display_name", typed);
      location.assign(withXsrf(address));
    });
  }
}

once("home", () => {
  const page = document.getElementById("home");
  if (page) new HomePage(page);
});
