/* Users and their servers: find, start, stop, add, edit, delete. */

import { get, hubUrl, patch, post, remove, segment, serverPath } from "./hubapi.js";
import { busy, checkbox, confirmDialog, field, formDialog, h, icon, notify, notifyError } from "./dom.js";
import { pager } from "./admin-pager.js";
import { timeElement } from "./times.js";

const POLL_PENDING_MS = 2000;
const POLL_QUIET_MS = 30_000;
const TYPING_MS = 300;

const STATES = [
  ["", "All users"],
  ["active", "With a server that runs or starts"],
  ["ready", "With a server that is ready"],
  ["inactive", "Without a running server"],
];
const WORDS = { ready: "Running", spawn: "Starting", stop: "Stopping", check: "Checking", rename: "Renaming", stopped: "Stopped" };

function stateOf(server) {
  return server.pending ?? (server.ready ? "ready" : "stopped");
}

export class UsersPanel {
  constructor(element, context) {
    this.element = element;
    this.scopes = context.scopes;
    this.namedServers = context.namedServers;
    this.query = { name_filter: "", state: "", sort: "name", offset: 0, limit: context.pageLimit };
    this.unfolded = new Set();
    this.opened = false;
    this.asked = 0;
    this.build();
  }

  may(scope) {
    return this.scopes.has(scope);
  }

  open() {
    this.opened = true;
    this.refresh();
  }

  close() {
    this.opened = false;
    window.clearTimeout(this.timer);
  }

  // -- frame --------------------------------------------------------------

  build() {
    let typing;
    const filter = h("input", {
      class: "form-control",
      type: "search",
      autocomplete: "off",
      oninput: (event) => {
        window.clearTimeout(typing);
        typing = window.setTimeout(() => this.change({ name_filter: event.target.value.trim() }), TYPING_MS);
      },
    });
    const state = h(
      "select",
      { class: "form-select", onchange: (event) => this.change({ state: event.target.value }) },
      STATES.map(([value, label]) => h("option", { value }, label)),
    );
    const filterField = field("Name contains", filter);
    filterField.classList.add("grow");
    const add = this.may("admin:users")
      ? h("button", { type: "button", class: "btn btn-primary push", onclick: () => this.addUsers() }, "Add users")
      : null;
    this.table = h("table", { class: "table table-cards" });
    this.foot = h("div");
    this.element.append(
      h("div", { class: "toolbar" }, filterField, field("Show", state), add),
      h("div", { class: "card" }, this.table),
      this.foot,
    );
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.opened) this.refresh();
    });
  }

  change(values) {
    Object.assign(this.query, { offset: 0 }, values);
    this.refresh();
  }

  // -- asking -------------------------------------------------------------

  async refresh() {
    window.clearTimeout(this.timer);
    this.asked += 1;
    const question = this.asked;
    let pending = false;
    try {
      const page = await get("users", { paged: true, query: { ...this.query, include_stopped_servers: "1" } });
      if (question !== this.asked) return;
      // The last entries of the last page may be gone.
      if (page.items.length === 0 && this.query.offset > 0) {
        this.change({});
        return;
      }
      pending = page.items.some((user) => Object.values(user.servers ?? {}).some((server) => server.pending));
      this.show(page);
      this.failed = false;
    } catch (error) {
      if (question !== this.asked) return;
      if (!this.failed) notifyError(error);
      this.failed = true;
    }
    if (this.opened && !document.hidden) {
      this.timer = window.setTimeout(() => this.refresh(), pending ? POLL_PENDING_MS : POLL_QUIET_MS);
    }
  }

  // -- showing ------------------------------------------------------------

  show(page) {
    // A menu or field in use is not pulled away from under the hand.
    if (this.table.querySelector("details.menu[open]")) return;
    const focused = this.table.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.table.replaceChildren(this.head(), ...page.items.map((user) => this.userRows(user)));
    if (page.items.length === 0) {
      this.table.append(h("tbody", {}, h("tr", {}, h("td", { colspan: 5, class: "muted" }, "No user fits."))));
    }
    const total = page._pagination ?? { offset: 0, limit: this.query.limit, total: page.items.length, next: null };
    this.foot.replaceChildren(pager(total, page.items.length, (offset, limit) => this.change({ offset, limit })));
    if (focused) this.table.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  head() {
    const sortable = (label, key) => {
      const { sort } = this.query;
      const direction = sort === key ? "ascending" : sort === `-${key}` ? "descending" : null;
      const next = direction === "ascending" ? `-${key}` : key;
      return h(
        "th",
        { scope: "col", "aria-sort": direction },
        h("button", { type: "button", class: "sort", dataset: { key: `sort-${key}` }, onclick: () => this.change({ sort: next }) }, label),
      );
    };
    return h(
      "thead",
      {},
      h(
        "tr",
        {},
        sortable("User", "name"),
        h("th", { scope: "col" }, "Server"),
        h("th", { scope: "col" }, "Status"),
        sortable("Last active", "last_activity"),
        h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "Actions")),
      ),
    );
  }

  userRows(user) {
    const servers = Object.values(user.servers ?? {}).sort((a, b) => a.name.localeCompare(b.name));
    if (user.servers && !servers.some((server) => server.name === "")) {
      servers.unshift({ name: "", ready: false, pending: null, stopped: true, last_activity: null });
    }
    const rows = (servers.length ? servers : [null]).map((server, index) =>
      h(
        "tr",
        { dataset: { user: user.name, server: server?.name ?? "" } },
        index === 0 ? this.nameCell(user) : h("td", {}),
        h("td", { "data-label": server?.name ? "Server" : null }, server?.name ? server.display_name || server.name : server ? h("span", { class: "muted" }, "main") : ""),
        h("td", { "data-label": "Status" }, server ? h("span", { class: "status", dataset: { state: stateOf(server) } }, WORDS[stateOf(server)]) : ""),
        h("td", { "data-label": "Last active", class: "nowrap" }, timeElement(index === 0 ? (user.last_activity ?? server?.last_activity) : server.last_activity)),
        h("td", { class: "actions-cell" }, h("div", { class: "actions" }, server ? this.serverActions(user, server) : [], index === 0 ? this.userMenu(user) : null)),
      ),
    );
    if (this.unfolded.has(user.name)) rows.push(this.detailsRow(user));
    return h("tbody", { class: "user-group" }, rows);
  }

  nameCell(user) {
    return h(
      "th",
      { scope: "row", class: "name-cell" },
      h("span", {}, user.name, " ", user.admin ? h("span", { class: "badge badge-accent" }, "admin") : null),
    );
  }

  serverActions(user, server) {
    const state = stateOf(server);
    const label = server.name ? `${user.name}/${server.name}` : user.name;
    const key = (action) => ({ key: `${action}-${label}` });
    const actions = [];
    if (state === "ready" && this.may("access:servers")) {
      actions.push(h("a", { class: "btn btn-sm", href: server.full_url ?? server.url, dataset: key("open"), "aria-label": `Open the server of ${label}` }, "Open"));
    }
    if (state === "stopped" && this.may("start:servers")) {
      actions.push(this.button("Start", `Start the server ${label}`, key("start"), () => post(serverPath(user.name, server.name))));
    }
    if (["ready", "spawn", "check"].includes(state) && this.may("delete:servers")) {
      actions.push(this.button("Stop", `Stop the server ${label}`, key("stop"), () => remove(serverPath(user.name, server.name))));
    }
    if (server.name && state === "stopped" && this.may("delete:servers")) {
      actions.push(
        h("button", { type: "button", class: "btn btn-sm btn-outline-danger", dataset: key("delete"), "aria-label": `Delete the server ${label}`, onclick: () => this.deleteServer(user, server) }, "Delete"),
      );
    }
    return actions;
  }

  button(label, description, dataset, work) {
    return h(
      "button",
      {
        type: "button",
        class: "btn btn-sm",
        "aria-label": description,
        dataset,
        onclick: async (event) => {
          // The answer may take as long as the start; show meanwhile what goes on.
          const poll = window.setTimeout(() => this.refresh(), 400);
          await busy(event.currentTarget, work);
          window.clearTimeout(poll);
          await this.refresh();
        },
      },
      label,
    );
  }

  userMenu(user) {
    const item = (label, action, danger = false) =>
      h("li", {}, h("button", {
        type: "button",
        class: `dropdown-item${danger ? " danger" : ""}`,
        onclick: (event) => {
          event.currentTarget.closest("details").open = false;
          action();
        },
      }, label));
    const folded = !this.unfolded.has(user.name);
    return h(
      "details",
      { class: "menu menu-end" },
      h("summary", { class: "icon-button", "aria-label": `More about ${user.name}`, dataset: { key: `menu-${user.name}` } }, icon("more")),
      h(
        "ul",
        {},
        item(folded ? "Show details" : "Hide details", () => this.fold(user.name)),
        this.may("start:servers") ? h("li", {}, h("a", { class: "dropdown-item", href: hubUrl(`spawn/${segment(user.name)}`) }, "Start with options")) : null,
        this.namedServers && this.may("start:servers") ? item("Add a server", () => this.addServer(user)) : null,
        this.may("admin:users") ? item("Edit", () => this.editUser(user)) : null,
        this.may("delete:users") ? item("Delete", () => this.deleteUser(user), true) : null,
      ),
    );
  }

  fold(name) {
    if (!this.unfolded.delete(name)) this.unfolded.add(name);
    this.refresh();
  }

  detailsRow(user) {
    const facts = [
      ["Groups", user.groups?.join(", ") || "none"],
      ["Roles", user.roles?.join(", ") || "none"],
      ["Since", user.created ? new Date(user.created).toLocaleString() : "unknown"],
    ];
    for (const server of Object.values(user.servers ?? {})) {
      const label = server.name ? `Server ${server.name}` : "Main server";
      if (server.started) facts.push([`${label}, started`, new Date(server.started).toLocaleString()]);
      if (server.user_options && Object.keys(server.user_options).length) facts.push([`${label}, options`, JSON.stringify(server.user_options)]);
      if (server.state && Object.keys(server.state).length) facts.push([`${label}, state`, JSON.stringify(server.state)]);
    }
    return h(
      "tr",
      { class: "details-row" },
      h("td", { colspan: 5 }, h("dl", {}, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))),
    );
  }

  // -- acting -------------------------------------------------------------

  async addUsers() {
    const names = h("textarea", { class: "form-control", required: true, autocapitalize: "off", spellcheck: "false" });
    const admin = checkbox("They are administrators");
    const done = await formDialog({
      title: "Add users",
      content: [field("Usernames", names, "One per line, or with commas between them."), admin],
      action: "Add",
      async submit() {
        const usernames = names.value.split(/[\n,]+/).map((name) => name.trim()).filter(Boolean);
        const body = { usernames };
        if (admin.querySelector("input").checked) body.admin = true;
        const made = await post("users", body);
        const skipped = usernames.length - made.length;
        notify(`${made.length} added${skipped > 0 ? `, ${skipped} existed already` : ""}.`, "success");
      },
    });
    if (done) await this.refresh();
  }

  async editUser(user) {
    const name = h("input", { class: "form-control", type: "text", value: user.name, required: true, autocapitalize: "off", spellcheck: "false" });
    const admin = checkbox("Administrator: may do everything on this hub", { checked: user.admin });
    const done = await formDialog({
      title: `Edit ${user.name}`,
      content: [field("Username", name, "Rename only while none of their servers run."), admin],
      action: "Save",
      async submit() {
        const body = {};
        if (name.value.trim() !== user.name) body.name = name.value.trim();
        if (admin.querySelector("input").checked !== Boolean(user.admin)) body.admin = !user.admin;
        if (Object.keys(body).length) await patch(`users/${segment(user.name)}`, body);
      },
    });
    if (done) await this.refresh();
  }

  async deleteUser(user) {
    const done = await confirmDialog({
      title: `Delete ${user.name}?`,
      text: "Their servers are stopped, and their tokens, shares and group memberships end. This cannot be undone.",
      action: "Delete",
      submit: () => remove(`users/${segment(user.name)}`),
    });
    if (done) await this.refresh();
  }

  async deleteServer(user, server) {
    const done = await confirmDialog({
      title: `Delete the server ${user.name}/${server.name}?`,
      text: "Its settings are deleted. What happens to its files depends on the spawner.",
      action: "Delete",
      submit: () => remove(serverPath(user.name, server.name), { remove: true }),
    });
    if (done) await this.refresh();
  }

  async addServer(user) {
    const name = h("input", { class: "form-control", type: "text", required: true, maxlength: 30, pattern: "[a-z]([a-z0-9]|-(?!-))*", autocapitalize: "off", spellcheck: "false" });
    const done = await formDialog({
      title: `Add a server for ${user.name}`,
      content: field("Name", name, "Lower-case letters, digits and single hyphens, beginning with a letter."),
      action: "Add and start",
      submit: () => post(serverPath(user.name, name.value)),
    });
    if (done) await this.refresh();
  }
}
