/* The hub as a whole: stop all servers, shut down. */

import { everyItem, post, remove, serverPath } from "./hubapi.js";
import { field, formDialog, h, notify } from "./dom.js";

const STOPS_AT_ONCE = 4;

async function activeServers() {
  const found = [];
  for await (const user of everyItem("users", { state: "active", limit: 200 })) {
    for (const server of Object.values(user.servers ?? {})) {
      if (server.pending !== "stop" && (server.ready || server.pending)) found.push([user.name, server.name]);
    }
  }
  return found;
}

/** Stops each; returns how many refused. */
async function stopEach(servers, onProgress) {
  const left = [...servers];
  let done = 0;
  let refused = 0;
  async function work() {
    for (let next = left.shift(); next; next = left.shift()) {
      try {
        await remove(serverPath(...next));
      } catch (error) {
        refused += 1;
        console.error(`Stopping ${next.join("/")}:`, error);
      }
      done += 1;
      onProgress(done);
    }
  }
  await Promise.all(Array.from({ length: STOPS_AT_ONCE }, work));
  return refused;
}

function threeWay(label, help) {
  const select = h(
    "select",
    { class: "form-select" },
    h("option", { value: "" }, "As configured"),
    h("option", { value: "true" }, "Yes"),
    h("option", { value: "false" }, "No"),
  );
  return { select, element: field(label, select, help) };
}

export class HubPanel {
  constructor(element, context) {
    if (context.scopes.has("delete:servers") && context.scopes.has("list:users")) {
      element.append(this.card("Stop all servers", "Stops every running server, a few at a time. People lose what is not saved.", "Stop all", () => this.stopAll()));
    }
    if (context.scopes.has("shutdown")) {
      element.append(this.card("Shut down the hub", "Ends the hub's process. Only the system that runs it can start it again.", "Shut down", () => this.shutDown()));
    }
  }

  open() {}

  close() {}

  card(title, text, label, action) {
    return h("div", { class: "card" }, h("h2", {}, title), h("p", { class: "muted" }, text), h("p", {}, h("button", { type: "button", class: "btn btn-outline-danger", onclick: action }, label)));
  }

  async stopAll() {
    await formDialog({
      title: "Stop all servers?",
      content: h("p", {}, "Everybody who is at work is cut off, and what is not saved is lost."),
      action: "Stop all",
      danger: true,
      async submit(_form, say) {
        say("Looking …");
        try {
          const servers = await activeServers();
          say(`0 of ${servers.length}`);
          const refused = await stopEach(servers, (done) => say(`${done} of ${servers.length}`));
          if (refused) notify(`${refused} of ${servers.length} servers could not be stopped.`, "danger");
          else notify(servers.length ? `${servers.length} servers stop.` : "No server was running.", "success");
        } finally {
          say("Stop all");
        }
      },
    });
  }

  async shutDown() {
    const servers = threeWay("Stop people's servers too", "If not, they run on, and the next hub takes them over.");
    const proxy = threeWay("Stop the proxy too", "If not, people at work notice nothing until the hub is back.");
    await formDialog({
      title: "Shut down the hub?",
      content: [servers.element, proxy.element],
      action: "Shut down",
      danger: true,
      async submit() {
        const body = {};
        if (servers.select.value) body.servers = servers.select.value === "true";
        if (proxy.select.value) body.proxy = proxy.select.value === "true";
        await post("shutdown", body);
        notify("The hub is shutting down. This page does not work any more.", "warning");
      },
    });
  }
}
