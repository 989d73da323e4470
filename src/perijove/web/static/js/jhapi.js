/*
 * `JHAPI`, the class that scripts for JupyterHub's pages expect:
 *
 *     require(["jhapi"], function (JHAPI) {
 *       const api = new JHAPI(window.jhdata.base_url);
 *       api.start_server("ada", { success: function () { ... } });
 *     });
 *
 * Each method takes `options` with `success(data)` and `error(failure)`, and returns a
 * promise as well. Our own pages use hubapi.js.
 */

import { post, request, remove, patch, get, segment, serverPath } from "./hubapi.js";

function bodyOf(options) {
  const { data } = options;
  return typeof data === "string" && data ? JSON.parse(data) : data;
}

export default class JHAPI {
  constructor(base_url) {
    this.base_url = base_url ?? window.jhdata.base_url;
  }

  /** Any request below `{base_url}api/`; `options.type` is the method. */
  api_request(path, options = {}) {
    const address = `${this.base_url.replace(/\/*$/, "/")}api/${String(path).replace(/^\/+/, "")}`;
    return this.#answer(request((options.type ?? "GET").toUpperCase(), address, { body: bodyOf(options) }), options);
  }

  #answer(work, options = {}) {
    work.then(
      (data) => options.success?.(data),
      (failure) => {
        if (options.error) options.error({ status: failure.status, responseJSON: { message: failure.message } });
        else console.error(failure);
      },
    );
    return work;
  }

  start_server(user, options = {}) {
    return this.#answer(post(serverPath(user), bodyOf(options)), options);
  }

  start_named_server(user, server_name, options = {}) {
    return this.#answer(post(serverPath(user, server_name), bodyOf(options)), options);
  }

  stop_server(user, options) {
    return this.#answer(remove(serverPath(user)), options);
  }

  stop_named_server(user, server_name, options) {
    return this.#answer(remove(serverPath(user, server_name)), options);
  }

  delete_named_server(user, server_name, options) {
    return this.#answer(remove(serverPath(user, server_name), { remove: true }), options);
  }

  list_users(options) {
    return this.#answer(get("users"), options);
  }

  get_user(user, options) {
    return this.#answer(get(`users/${segment(user)}`), options);
  }

  add_users(usernames, userinfo, options) {
    return this.#answer(post("users", { usernames, ...userinfo }), options);
  }

  edit_user(user, userinfo, options) {
    return this.#answer(patch(`users/${segment(user)}`, userinfo), options);
  }

  delete_user(user, options) {
    return this.#answer(remove(`users/${segment(user)}`), options);
  }

  admin_access(user, options) {
    return this.#answer(post(`users/${segment(user)}/admin-access`), options);
  }

  request_token(user, props, options) {
    return this.#answer(post(`users/${segment(user)}/tokens`, props), options);
  }

  revoke_token(user, token_id, options) {
    return this.#answer(remove(`users/${segment(user)}/tokens/${segment(token_id)}`), options);
  }

  shutdown_hub(data, options) {
    return this.#answer(post("shutdown", data), options);
  }
}
