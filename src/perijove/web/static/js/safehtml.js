/*
 * HTML that comes from a spawner or authenticator while the page is open (progress
 * messages, reasons of failure). They may format and link; scripts, forms, frames and
 * styles are left out.
 */

const TAGS = new Set(
  ("A ABBR B BLOCKQUOTE BR CODE DD DETAILS DIV DL DT EM H2 H3 H4 H5 H6 HR I IMG KBD LI OL P PRE S SAMP SMALL SPAN " +
    "STRONG SUB SUMMARY SUP TABLE TBODY TD TH THEAD TIME TR U UL VAR").split(" "),
);
const DROPPED_WHOLE = new Set(
  "SCRIPT STYLE TEMPLATE IFRAME OBJECT EMBED SVG MATH TEXTAREA SELECT NOSCRIPT TITLE HEAD".split(" "),
);
const ATTRIBUTES = new Set("class title href target rel src alt width height datetime colspan rowspan open".split(" "));

function harmlessAddress(value, image) {
  try {
    const { protocol } = new URL(value, document.baseURI);
    return protocol === "http:" || protocol === "https:" || (!image && protocol === "mailto:");
  } catch {
    return false;
  }
}

function copyChildren(from, to) {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      to.append(child.textContent);
    } else if (child.nodeType === Node.ELEMENT_NODE) {
      const name = child.tagName.toUpperCase();
      if (DROPPED_WHOLE.has(name)) continue;
      if (!TAGS.has(name)) {
        copyChildren(child, to);
        continue;
      }
      const copy = document.createElement(name);
      for (const { name: attribute, value } of child.attributes) {
        if (!ATTRIBUTES.has(attribute)) continue;
        if ((attribute === "href" || attribute === "src") && !harmlessAddress(value, attribute === "src")) continue;
        copy.setAttribute(attribute, value);
      }
      if (copy.target) copy.rel = "noopener";
      copyChildren(child, copy);
      to.append(copy);
    }
  }
}

/** The harmless part of some HTML, as nodes. */
export function safeHtml(html) {
  // A document that DOMParser makes runs and loads nothing.
  const source = new DOMParser().parseFromString(html, "text/html");
  const result = document.createDocumentFragment();
  copyChildren(source.body, result);
  return result;
}
