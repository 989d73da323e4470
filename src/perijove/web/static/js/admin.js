/*
 * The admin page, a client of the REST API: tabs for users with their servers, for groups,
 * for services and for the hub itself. What the visitor's scopes do not allow is not shown.
 */

import { h, once } from "./dom.js";
import { GroupsPanel } from "./admin-groups.js";
import { HubPanel } from "./admin-hub.js";
import { ServicesPanel } from "./admin-services.js";
import { UsersPanel } from "./admin-users.js";

const TABS = [
  ["users", "Users and servers", (scopes) => scopes.has("list:users"), UsersPanel],
  ["groups", "Groups", (scopes) => scopes.has("list:groups"), GroupsPanel],
  ["services", "Services", (scopes) => scopes.has("list:services"), ServicesPanel],
  ["hub", "Hub", (scopes) => scopes.has("shutdown") || scopes.has("delete:servers"), HubPanel],
];

function build(hook) {
  const scopes = new Set(hook.dataset.scopes.trim().split(/\s+/));
  const context = {
    scopes,
    pageLimit: Number(hook.dataset.pageLimit),
    namedServers: hook.dataset.namedServers === "yes",
  };
  const shown = TABS.filter(([, , allowed]) => allowed(scopes));
  if (shown.length === 0) {
    hook.append(h("p", { class: "empty" }, "Your permissions open this page, but let you see neither users nor groups."));
    return;
  }

  const tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Administration" });
  const entries = shown.map(([name, label, , Panel]) => {
    const element = h("section", { id: `panel-${name}`, role: "tabpanel", "aria-labelledby": `tab-${name}`, hidden: true });
    const button = h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": element.id, onclick: () => choose(name) }, label);
    tabs.append(button);
    return { name, element, button, panel: new Panel(element, context) };
  });

  function choose(name, remember = true) {
    for (const entry of entries) {
      const chosen = entry.name === name;
      entry.element.hidden = !chosen;
      entry.button.setAttribute("aria-selected", String(chosen));
      entry.button.tabIndex = chosen ? 0 : -1;
      if (chosen) entry.panel.open();
      else entry.panel.close();
    }
    if (remember) history.replaceState(null, "", `#${name}`);
  }

  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = entries.findIndex((entry) => entry.button === document.activeElement);
    const next = entries[(at + step + entries.length) % entries.length];
    next.button.focus();
    choose(next.name);
  });

  hook.append(tabs, ...entries.map((entry) => entry.element));
  const wanted = location.hash.slice(1);
  choose(entries.some((entry) => entry.name === wanted) ? wanted : entries[0].name, false);
}

once("admin", () => {
  const hook = document.getElementById("react-admin-hook");
  if (hook) build(hook);
});
