/* Services: who they are, what the operator says of them, and whether they answer. */

import { get, segment } from "./hubapi.js";
import { h, notifyError } from "./dom.js";

const AT_ONCE = 4;

function words(health) {
  if (health.answers === false) return ["does not answer", "failed"];
  if (health.answers) return ["answers", "ready"];
  if (health.managed) return health.pid ? ["runs", "ready"] : ["does not run", "failed"];
  return ["has no address to ask at", ""];
}

export class ServicesPanel {
  constructor(element) {
    this.table = h("table", { class: "table table-cards" });
    const again = h("button", { type: "button", class: "btn push", onclick: () => this.refresh() }, "Look again");
    element.append(h("div", { class: "toolbar" }, again), h("div", { class: "card" }, this.table));
  }

  open() {
    this.refresh();
  }

  close() {}

  async refresh() {
    try {
      const services = Object.values(await get("services"));
      const rows = services.map((service) => this.row(service));
      if (rows.length === 0) rows.push(h("tr", {}, h("td", { colspan: 4, class: "muted" }, "There are no services.")));
      this.table.replaceChildren(
        h("thead", {}, h("tr", {}, ...["Service", "Health", "Roles", "About"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows),
      );
      await this.lookAt(services);
    } catch (error) {
      notifyError(error);
    }
  }

  row(service) {
    const kind = service.command?.length ? "run by the hub" : "runs elsewhere";
    const about = Object.entries(service.info ?? {}).map(([key, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return h("div", {}, `${key}: ${text}`);
    });
    return h(
      "tr",
      { "data-service": service.name },
      h("td", { "data-label": "Service" }, service.name, " ", h("span", { class: "muted" }, kind)),
      h("td", { "data-label": "Health", class: "service-health" }, h("span", { class: "muted" }, "looking")),
      h("td", { "data-label": "Roles" }, (service.roles ?? []).join(", ")),
      h("td", { "data-label": "About" }, about),
    );
  }

  /** Ask for the health of each, a few at a time: one that hangs must not hold up the others. */
  async lookAt(services) {
    const left = [...services];
    const work = async () => {
      for (let next = left.shift(); next; next = left.shift()) await this.lookAtOne(next.name);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  async lookAtOne(name) {
    const row = [...this.table.querySelectorAll("tr[data-service]")].find((each) => each.dataset.service === name);
    const cell = row?.querySelector(".service-health");
    if (!cell) return;
    try {
      const health = await get(`services/${segment(name)}/health`);
      const [text, state] = words(health);
      const detail = health.pid ? `process ${health.pid}` : health.status ? `status ${health.status}` : "";
      cell.replaceChildren(h("span", { class: "status", "data-state": state, title: detail }, text));
    } catch (error) {
      cell.replaceChildren(h("span", { class: "muted" }, error.message));
    }
  }
}
