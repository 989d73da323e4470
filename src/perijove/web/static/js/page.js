/*
 * What every page has: the menu on small screens, the theme button, times that read
 * well, and the few behaviours that operators' HTML asks for with data-bs-* attributes.
 */

import { proveLinks } from "./proof.js";
import { showTimes } from "./times.js";

const THEMES = ["auto", "light", "dark"];
const THEME_WORDS = { auto: "like the system", light: "light", dark: "dark" };

function currentTheme() {
  return document.documentElement.dataset.bsTheme ?? "auto";
}

function applyTheme(theme) {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset.bsTheme;
  else root.dataset.bsTheme = theme;
  try {
    if (theme === "auto") localStorage.removeItem("perijove-theme");
    else localStorage.setItem("perijove-theme", theme);
  } catch {
    // Not remembered then.
  }
}

function showTheme(button) {
  const theme = currentTheme();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const use = button.querySelector("use");
  use?.setAttribute("href", use.getAttribute("href").replace(/#.*$/, `#${theme}`));
  const label = `Colours: ${THEME_WORDS[theme]}. Switch to ${THEME_WORDS[next]}`;
  button.setAttribute("aria-label", label);
  button.title = label;
}

function themeButton() {
  const button = document.getElementById("theme-toggle");
  if (!button) return;
  button.hidden = false;
  showTheme(button);
  button.addEventListener("click", () => {
    applyTheme(THEMES[(THEMES.indexOf(currentTheme()) + 1) % THEMES.length]);
    showTheme(button);
  });
}

function navigation() {
  const toggle = document.getElementById("nav-toggle");
  const nav = document.getElementById("site-nav");
  toggle?.addEventListener("click", () => {
    const open = nav.classList.toggle("open");
    toggle.setAttribute("aria-expanded", String(open));
  });
  for (const link of document.querySelectorAll(".site-nav a.nav-link")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
  }
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

/* ---- data-bs-* --------------------------------------------------------- */

function targetOf(trigger) {
  const selector = trigger.dataset.bsTarget ?? trigger.getAttribute("href") ?? "";
  return selector.startsWith("#") && selector.length > 1 ? document.getElementById(selector.slice(1)) : null;
}

const TOGGLES = {
  modal(trigger) {
    targetOf(trigger)?.showModal?.();
  },
  collapse(trigger) {
    const open = targetOf(trigger)?.classList.toggle("show");
    trigger.setAttribute("aria-expanded", String(Boolean(open)));
  },
  dropdown(trigger) {
    const menu = trigger.parentElement.querySelector(".dropdown-menu");
    const open = menu?.classList.toggle("show");
    trigger.setAttribute("aria-expanded", String(Boolean(open)));
  },
  tab(trigger) {
    const pane = targetOf(trigger);
    for (const other of trigger.closest(".nav")?.querySelectorAll('[data-bs-toggle="tab"]') ?? []) {
      other.classList.toggle("active", other === trigger);
      other.setAttribute("aria-selected", String(other === trigger));
    }
    for (const other of pane?.parentElement.children ?? []) other.classList.toggle("active", other === pane);
  },
};
TOGGLES.pill = TOGGLES.tab;

const DISMISSALS = {
  modal: (button) => button.closest("dialog")?.close(),
  alert: (button) => button.closest(".alert")?.remove(),
};

function operatorsHtml() {
  document.addEventListener("click", (event) => {
    const trigger = event.target.closest?.("[data-bs-toggle]");
    for (const menu of document.querySelectorAll(".dropdown-menu.show")) {
      if (!menu.parentElement.contains(trigger)) menu.classList.remove("show");
    }
    const toggle = TOGGLES[trigger?.dataset.bsToggle];
    if (toggle) {
      event.preventDefault();
      toggle(trigger);
    }
    const dismissal = event.target.closest?.("[data-bs-dismiss]");
    DISMISSALS[dismissal?.dataset.bsDismiss]?.(dismissal);
  });
}

themeButton();
navigation();
operatorsHtml();
proveLinks();
showTimes();
window.setInterval(showTimes, 30_000);
