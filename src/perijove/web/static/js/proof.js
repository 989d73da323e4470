/*
 * Links that may start a server carry the proof that a page of the hub has them; without
 * it the hub asks for another click. Added at the click, so that operators' own templates
 * need to know nothing of it, and taken away again, so that it is not copied with a link or
 * from the address bar.
 */

import { hubUrl, withXsrf } from "./hubapi.js";

function leadsToAStart(link) {
  if (link.origin !== location.origin) return false;
  return link.pathname === hubUrl() || link.pathname === hubUrl("spawn") || link.pathname.startsWith(hubUrl("spawn/"));
}

function addProof(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || !leadsToAStart(link)) return;
  const plain = link.getAttribute("href");
  link.setAttribute("href", withXsrf(link.href));
  window.setTimeout(() => link.setAttribute("href", plain));
}

function hideProof() {
  const address = new URL(location.href);
  if (!address.searchParams.has("_xsrf")) return;
  address.searchParams.delete("_xsrf");
  history.replaceState(history.state, "", address);
}

/** Watch for clicks with any button. */
export function proveLinks() {
  hideProof();
  document.addEventListener("click", addProof, { capture: true });
  document.addEventListener("auxclick", addProof, { capture: true });
}
