/*
 * Helpers under the names that scripts for JupyterHub's pages expect
 * (`require(["utils"], ...)`). Our own pages do not use them.
 */

/** Pieces joined with single slashes. */
export function url_path_join(...pieces) {
  return pieces.filter(Boolean).reduce((left, right) => {
    return left ? `${left.replace(/\/+$/, "")}/${String(right).replace(/^\/+/, "")}` : String(right);
  }, "");
}

/** Each segment of a path percent-encoded, the slashes kept. */
export function encode_uri_components(path) {
  return String(path).split("/").map(encodeURIComponent).join("/");
}

/** url_path_join, then encoded. */
export function url_join_encode(...pieces) {
  return encode_uri_components(url_path_join(...pieces));
}

/** Text made safe for insertion into HTML. */
export function escape_html(text) {
  const element = document.createElement("div");
  element.textContent = text;
  return element.innerHTML;
}

/** The value of a data-* attribute of the body, percent-decoded; undefined without. */
export function get_body_data(key) {
  const value = document.body.getAttribute(`data-${key}`);
  return value === null ? undefined : decodeURIComponent(value);
}

/** The sentence of a failed request. */
export function ajax_error_msg(failure) {
  return failure?.responseJSON?.message ?? failure?.message ?? failure?.statusText ?? String(failure);
}

export default { url_path_join, encode_uri_components, url_join_encode, escape_html, get_body_data, ajax_error_msg };
