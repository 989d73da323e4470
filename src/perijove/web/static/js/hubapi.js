/*
 * The hub's REST API, as the pages use it: JSON in and out, the XSRF token added,
 * refusals turned into `ApiError` with the hub's own sentence.
 */

/** A refusal by the hub, or no answer from it (status 0). */
export class ApiError extends Error {
  constructor(status, message, retryAfterS = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

const PAGE_TYPE = "application/jupyterhub-pagination+json";

/** The hub's prefix, with its slash. */
export function hubUrl(path = "") {
  return (window.jhdata?.base_url ?? "/hub/") + path;
}

/** A name as one segment of a path. */
export function segment(name) {
  return encodeURIComponent(name);
}

/** The API path of a user's server; the default server has the empty name. */
export function serverPath(user, server = "") {
  return server === "" ? `users/${segment(user)}/server` : `users/${segment(user)}/servers/${segment(server)}`;
}

/** An address with the XSRF token in its query, for links and event streams. */
export function withXsrf(address) {
  const url = new URL(address, document.baseURI);
  url.searchParams.set("_xsrf", window.jhdata?.xsrf_token ?? "");
  return url.href;
}

function sentenceFor(status, text) {
  let message = null;
  try {
    message = JSON.parse(text).message;
  } catch {
    // Not from the hub itself (a gateway's page, say).
  }
  if (message && /xsrf/i.test(message)) return "Your session has changed in another tab. Reload this page.";
  if (status === 403 && message === "Missing or invalid credentials.") {
    return "You are signed out. Reload this page to sign in again.";
  }
  if (message) return message;
  if (status === 403) return "You may not do this.";
  if (status === 404) return "The hub does not know this, or you may not see it.";
  if (status === 429) return "The hub is busy. Try again in a minute.";
  return `The hub answered with status ${status}.`;
}

/**
 * One request. `path` is below the API's prefix, or a full path of this site.
 * Returns the decoded body, or null when there is none.
 */
export async function request(method, path, { body, query, paged = false, signal } = {}) {
  const address = new URL(path.startsWith("/") ? path : hubUrl(`api/${path}`), document.baseURI);
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== "" && value !== null && value !== undefined) address.searchParams.set(key, value);
  }
  const headers = {
    Accept: paged ? PAGE_TYPE : "application/json",
    "X-XSRFToken": window.jhdata?.xsrf_token ?? "",
  };
  // A cookie request counts as signed in only with this type, even with an empty body.
  if (method !== "GET") headers["Content-Type"] = "application/json";
  let reply;
  try {
    reply = await fetch(address, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The hub does not answer. Check your connection.");
  }
  const text = await reply.text();
  if (!reply.ok) {
    const after = Number.parseInt(reply.headers.get("Retry-After"), 10);
    throw new ApiError(reply.status, sentenceFor(reply.status, text), Number.isNaN(after) ? null : after);
  }
  try {
    return text.trim() ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, body, options) => request("POST", path, { body, ...options });
export const put = (path, body, options) => request("PUT", path, { body, ...options });
export const patch = (path, body, options) => request("PATCH", path, { body, ...options });
export const remove = (path, body, options) => request("DELETE", path, { body, ...options });

/** Every item of a paged list, fetched page by page. */
export async function* everyItem(path, query = {}) {
  let offset = 0;
  for (;;) {
    const page = await get(path, { paged: true, query: { ...query, offset } });
    yield* page.items;
    const next = page._pagination?.next;
    if (!next) return;
    offset = next.offset;
  }
}
