// Follows a launch and shows it; goes on to JupyterLab when that is ready.
const box = document.getElementById("launch");
const status = document.getElementById("status");
const log = document.getElementById("log");
const bar = box.querySelector("progress");
const enter = document.getElementById("enter");
const order = ["building", "starting", "ready"];
let written = false;

function show(event) {
  const now = order.indexOf(event.phase);
  box.dataset.phase = event.phase;
  if (now >= 0) {
    for (const step of box.querySelectorAll("[data-step]")) {
      const place = order.indexOf(step.dataset.step);
      step.classList.toggle("done", place < now || event.phase === "ready");
      step.classList.toggle("now", place === now && event.phase !== "ready");
      if (place === now) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    }
  }
  bar.value = event.progress;
  // Lines of a build are for the log; they would come too fast for a screen reader.
  status.textContent = event.phase === "building" ? "Building the environment" : event.message;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(`${event.message}\n`);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

const events = new EventSource(box.dataset.events);
events.onmessage = (message) => {
  if (!written) {
    log.textContent = ""; // the stream tells all of it again
    written = true;
  }
  const event = JSON.parse(message.data);
  show(event);
  if (event.phase === "ready") {
    events.close();
    enter.href = event.url;
    enter.hidden = false;
    // Whoever comes back with the browser's button should not be sent on again.
    location.replace(event.url);
  } else if (event.phase === "failed") {
    events.close();
    document.getElementById("again").hidden = false;
  }
};
events.onerror = () => {
  if (events.readyState === EventSource.CLOSED) location.reload();
};
