/*
 * Follows a start by the hub's event stream. The hub replays all events to everyone who
 * asks, so after a broken connection the story is simply told again from the start.
 */

import { ApiError, get } from "./hubapi.js";

const RETRY_MS = [1000, 2000, 4000, 8000];

/** The API address of a server, from the address of its progress. */
export function serverAddress(progressUrl) {
  return progressUrl.replace(/\/progress(\?.*)?$/, "");
}

/**
 * Calls `onRestart()` when a (new) telling begins, `onEvent(event)` for each event, and
 * `onEnd(model)` once when there is nothing more to follow: after the last event, or when
 * the server turned out to be in another state (`model`, null when it is gone).
 * Returns a function that stops following.
 */
export function followProgress(progressUrl, { onRestart, onEvent, onEnd, onTrouble }) {
  let source = null;
  let failures = 0;
  let timer = null;
  let over = false;

  function stop() {
    over = true;
    source?.close();
    window.clearTimeout(timer);
  }

  function finish(model) {
    if (over) return;
    stop();
    onEnd?.(model);
  }

  function retry() {
    if (over) return;
    const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
    failures += 1;
    onTrouble?.(failures);
    timer = window.setTimeout(askWhatIs, wait);
  }

  // The stream ended without a last event: is the start still going on?
  async function askWhatIs() {
    try {
      const model = await get(serverAddress(progressUrl));
      if (over) return;
      if (model?.pending === "spawn" || model?.pending === "check") listen();
      else finish(model);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) finish(null);
      else retry();
    }
  }

  function listen() {
    source = new EventSource(progressUrl);
    let told = false;
    source.onmessage = (message) => {
      let event;
      try {
        event = JSON.parse(message.data);
      } catch {
        return;
      }
      if (!told) onRestart?.();
      told = true;
      failures = 0;
      onEvent(event);
      if (event.ready || event.failed) finish({ ready: Boolean(event.ready) });
    };
    source.onerror = () => {
      source.close();
      retry();
    };
  }

  listen();
  return stop;
}
