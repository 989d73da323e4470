/*
 * A small `require` and `define` for operators' templates that were written for
 * JupyterHub's pages, where scripts are AMD modules:
 *
 *     require(["jhapi", "utils"], function (JHAPI, utils) { ... });
 *
 * Here: `jhapi`, `utils`, and the page modules `home`, `token`, `not_running`, `admin`.
 * Not here: jQuery, Bootstrap's scripts, moment. Name a copy of your own first and it
 * is loaded like any AMD module:
 *
 *     require.config({ paths: { jquery: "/hub/static/extra/jquery.min" } });
 *
 * If your template already loads jQuery with a <script> element, `jquery` is that one.
 */
(function () {
  "use strict";

  const folder = new URL("./", document.currentScript.src).href;
  const own = {
    jhapi: "jhapi.js",
    utils: "utils.js",
    home: "home.js",
    token: "token.js",
    not_running: "not-running.js",
    admin: "admin.js",
  };
  const settings = { baseUrl: folder, paths: {} };
  const modules = new Map();

  function addressOf(name) {
    const path = settings.paths[name] ?? name;
    const address = new URL(path, new URL(settings.baseUrl, document.baseURI)).href;
    return /\.js($|\?)/.test(address) ? address : address + ".js";
  }

  /** Runs a script of somebody else's and resolves with what it defines. */
  function loadScript(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = addressOf(name);
      script.dataset.amdModule = name;
      script.amdResolve = resolve;
      script.onload = () => resolve(undefined);
      script.onerror = () => reject(new Error(`Cannot load "${name}" from ${script.src}`));
      document.head.append(script);
    });
  }

  function start(name) {
    if (name in settings.paths) return loadScript(name);
    if (name in own) return import(folder + own[name]).then((module) => module.default ?? module);
    if (name === "jquery" && window.jQuery) return Promise.resolve(window.jQuery);
    return Promise.reject(
      new Error(`"${name}" is not part of these pages. Give its address with require.config({paths: ...}).`),
    );
  }

  function load(name) {
    if (!modules.has(name)) modules.set(name, start(name));
    return modules.get(name);
  }

  function require(names, whenLoaded, whenFailed) {
    const all = Promise.all([].concat(names).map(load));
    all.then(
      (loaded) => whenLoaded?.(...loaded),
      (error) => (whenFailed ? whenFailed(error) : console.error(error)),
    );
    return all;
  }

  require.config = function (options) {
    if (options.baseUrl) settings.baseUrl = options.baseUrl;
    Object.assign(settings.paths, options.paths);
    return require;
  };

  function loadedByUs() {
    return Boolean(document.currentScript?.dataset.amdModule);
  }

  function define(...given) {
    const name = typeof given[0] === "string" ? given.shift() : null;
    const needs = Array.isArray(given[0]) ? given.shift() : [];
    const factory = given[0];
    const script = document.currentScript;
    const made = Promise.all(needs.map(load)).then((loaded) =>
      typeof factory === "function" ? factory(...loaded) : factory,
    );
    if (name) modules.set(name, made);
    if (loadedByUs()) script.amdResolve(made);
  }

  // Libraries look here to decide between define() and a global. A plain <script>
  // of an operator expects the global.
  Object.defineProperty(define, "amd", { get: () => (loadedByUs() ? { jQuery: true } : undefined) });

  window.require = window.requirejs = require;
  window.define = define;
})();
