/* Groups: members and properties. */

import { get, post, put, remove, segment } from "./hubapi.js";
import { confirmDialog, field, formDialog, h, icon, notifyError } from "./dom.js";
import { pager } from "./admin-pager.js";

const NAMES_SHOWN = 6;

function namesFrom(text) {
  return text.split(/[\n,]+/).map((name) => name.trim()).filter(Boolean);
}

export class GroupsPanel {
  constructor(element, context) {
    this.element = element;
    this.scopes = context.scopes;
    this.view = { offset: 0, limit: context.pageLimit };
    this.table = h("table", { class: "table table-cards" });
    this.foot = h("div");
    const add = this.may("admin:groups")
      ? h("button", { type: "button", class: "btn btn-primary push", onclick: () => this.addGroup() }, "Add group")
      : null;
    element.append(h("div", { class: "toolbar" }, add), h("div", { class: "card" }, this.table), this.foot);
  }

  may(scope) {
    return this.scopes.has(scope);
  }

  open() {
    this.refresh();
  }

  close() {}

  async refresh() {
    try {
      const page = await get("groups", { paged: true, query: this.view });
      if (page.items.length === 0 && this.view.offset > 0) {
        this.view.offset = 0;
        await this.refresh();
        return;
      }
      this.show(page);
    } catch (error) {
      notifyError(error);
    }
  }

  show(page) {
    const rows = page.items.map((group) => this.row(group));
    if (rows.length === 0) rows.push(h("tr", {}, h("td", { colspan: 3, class: "muted" }, "There are no groups.")));
    this.table.replaceChildren(
      h(
        "thead",
        {},
        h("tr", {}, h("th", { scope: "col" }, "Group"), h("th", { scope: "col" }, "Members"), h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "Actions"))),
      ),
      h("tbody", {}, rows),
    );
    const total = page._pagination ?? { offset: 0, limit: this.view.limit, total: page.items.length, next: null };
    this.foot.replaceChildren(
      pager(total, page.items.length, (offset, limit) => {
        this.view = { offset, limit };
        this.refresh();
      }),
    );
  }

  row(group) {
    const members = group.users ?? [];
    const rest = members.length - NAMES_SHOWN;
    const actions = [];
    if (this.may("groups")) {
      actions.push(
        h("button", { type: "button", class: "btn btn-sm", "aria-label": `Members of ${group.name}`, onclick: () => this.editMembers(group) }, "Members"),
        h("button", { type: "button", class: "btn btn-sm", "aria-label": `Properties of ${group.name}`, onclick: () => this.editProperties(group) }, "Properties"),
      );
    }
    if (this.may("delete:groups")) {
      actions.push(h("button", { type: "button", class: "btn btn-sm btn-outline-danger", "aria-label": `Delete the group ${group.name}`, onclick: () => this.deleteGroup(group) }, "Delete"));
    }
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, group.name),
      h("td", { "data-label": "Members" }, members.slice(0, NAMES_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "") || h("span", { class: "muted" }, "none")),
      h("td", { class: "actions-cell" }, h("div", { class: "actions" }, actions)),
    );
  }

  async addGroup() {
    const name = h("input", { class: "form-control", type: "text", required: true, maxlength: 255, autocapitalize: "off" });
    const users = h("textarea", { class: "form-control", autocapitalize: "off", spellcheck: "false" });
    const done = await formDialog({
      title: "Add a group",
      content: [field("Name", name), field("Members", users, "Usernames, one per line. May be empty.")],
      action: "Add",
      submit: () => post(`groups/${segment(name.value.trim())}`, { users: namesFrom(users.value) }),
    });
    if (done) await this.refresh();
  }

  /** Members are taken out at once and put in by the button, in the same dialog. */
  async editMembers(group) {
    const path = `groups/${segment(group.name)}/users`;
    const list = h("ul", { class: "member-list" });
    const names = h("input", { class: "form-control", type: "text", autocapitalize: "off", spellcheck: "false" });
    const draw = (members) => {
      list.replaceChildren(
        ...members.map((member) =>
          h(
            "li",
            {},
            member,
            h("button", {
              type: "button",
              class: "icon-button",
              "aria-label": `Take ${member} out`,
              onclick: async () => {
                try {
                  draw((await remove(path, { users: [member] })).users ?? []);
                } catch (error) {
                  notifyError(error);
                }
              },
            }, icon("close")),
          ),
        ),
      );
      if (members.length === 0) list.append(h("li", { class: "muted" }, "none "));
    };
    draw(group.users ?? []);
    await formDialog({
      title: `Members of ${group.name}`,
      content: [list, field("Add", names, "Usernames with commas between them.")],
      action: "Add and close",
      submit: async () => {
        const users = namesFrom(names.value);
        if (users.length) await post(path, { users });
      },
    });
    await this.refresh();
  }

  async editProperties(group) {
    const text = h("textarea", { class: "form-control", rows: 10, spellcheck: "false" });
    text.value = JSON.stringify(group.properties ?? {}, null, 2);
    const done = await formDialog({
      title: `Properties of ${group.name}`,
      content: field("A JSON object", text, "Spawners and authenticators may read it."),
      action: "Save",
      wide: true,
      submit: async () => {
        let value;
        try {
          value = JSON.parse(text.value);
        } catch (error) {
          throw new Error(`This is not JSON: ${error.message}`, { cause: error });
        }
        await put(`groups/${segment(group.name)}/properties`, value);
      },
    });
    if (done) await this.refresh();
  }

  async deleteGroup(group) {
    const done = await confirmDialog({
      title: `Delete the group ${group.name}?`,
      text: "Its members lose what they may do because of it. The users themselves stay.",
      action: "Delete",
      submit: () => remove(`groups/${segment(group.name)}`),
    });
    if (done) await this.refresh();
  }
}
