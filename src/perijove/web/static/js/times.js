/*
 * Shows every <time datetime> as a distance from now ("5 minutes ago"), with the full
 * local time as its title, and keeps that true while the page is open.
 */

const STEPS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "3 hours ago", "in 2 days", "just now". */
export function relative(date, now = Date.now()) {
  const seconds = (date.getTime() - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return words.format(Math.trunc(seconds / length), unit);
  }
  return seconds > 5 ? "in under a minute" : "just now";
}

/** A <time> element for an ISO time, or the given word. */
export function timeElement(iso, otherwise = "never") {
  if (!iso) return otherwise;
  const element = document.createElement("time");
  element.dateTime = iso;
  show(element);
  return element;
}

function show(element) {
  const date = new Date(element.dateTime);
  if (Number.isNaN(date.getTime())) return;
  element.textContent = relative(date);
  element.title = date.toLocaleString();
}

/** Brings all times below `root` up to date. */
export function showTimes(root = document) {
  root.querySelectorAll("time[datetime]").forEach(show);
}
