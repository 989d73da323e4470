"""Known faults of hubs around starts and stops, with spawners that do odd things."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from harness import GATED_SERVER, HubProcess, wait_for

pytestmark = pytest.mark.slow

SPAWNER = """
import asyncio, os
from jupyterhub.spawner import SimpleLocalProcessSpawner, SpawnException
from tornado import web

class OddSpawner(SimpleLocalProcessSpawner):
    '''Does what user_options ask for.'''

    def wish(self, name):
        return (self.user_options or {{}}).get(name)

    async def start(self):
        if self.wish("refuse"):
            raise SpawnException("over quota", reason="quota")
        if self.wish("hold"):
            await asyncio.sleep(3600)
        return await super().start()

    async def poll(self):
        if os.path.exists(f"gone-{{self.user.name}}"):
            return "ExitCode=137, Error='killed'"
        return await super().poll()

    async def stop(self, now=False):
        await asyncio.sleep(self.wish("stop_s") or 0)
        await super().stop(now=now)

    async def progress(self):
        yield {{"progress": 20, "message": ValueError("no text"), "more": object()}}

    def options_from_form(self, form):
        if form.get("size") == ["bad"]:
            raise web.HTTPError(422, "no such size")
        if form.get("size") == ["worse"]:
            raise ValueError("no such size at all")
        return form

    def get_state(self):
        return super().get_state() | {{"odd": object(), "key": b"\\xff"}}

def auth_state_hook(spawner, auth_state):
    if spawner.user.name == "no-credentials":
        raise RuntimeError("the vault is shut")

c.JupyterHub.spawner_class = OddSpawner
c.OddSpawner.auth_state_hook = auth_state_hook
c.OddSpawner.options_form = lambda spawner: "SIZES" if spawner.user.name == "chooser" else ""
c.OddSpawner.poll_interval = 1
c.Spawner.cmd = [{python!r}, "-S", {server!r}]
c.Spawner.args = []
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 5, "slow_stop_timeout": 0.2}}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub whose spawner does odd things when asked to."""
    settings = SPAWNER.format(python=sys.executable, server=str(GATED_SERVER))
    made = HubProcess(tmp_path_factory.mktemp("known-faults") / "hub", settings)
    try:
        yield made.start()
    finally:
        made.end()


def start(hub: HubProcess, user: str, **options: object) -> httpx.Response:
    hub.api.post(f"/users/{user}")
    return hub.api.post(f"/users/{user}/server", json={"user_options": options})


def ready(hub: HubProcess, user: str) -> bool:
    return bool(hub.servers().get(user, {}).get("ready"))


def gone(hub: HubProcess, user: str) -> bool:
    return user not in hub.servers()


def xsrf_of(browser: httpx.Client) -> str:
    """The token that a page of the hub would send."""
    found = (c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    return next(found) or ""


def failures(hub: HubProcess, labels: str) -> float:
    """How many starts the histogram has counted under these labels."""
    name = f"jupyterhub_server_spawn_duration_seconds_count{{{labels}}}"
    for line in hub.api.get("/metrics").text.splitlines():
        if line.startswith(name):
            return float(line.split()[-1])
    return 0.0


def test_a_refusal_by_policy_is_no_crash(hub: HubProcess) -> None:
    refused = start(hub, "greedy", refuse=True)
    assert (refused.status_code, refused.json()["message"]) == (400, "over quota")
    page = hub.sign_in("greedy").get("/hub/spawn?opt-refuse=1")
    assert "over quota" in page.text
    assert failures(hub, 'reason="quota",status="failure"') == 2
    log = hub.log.read_text()
    assert "Traceback" not in log[log.index("greedy") :]


def test_a_failing_hook_before_a_start_stops_it_and_another_may_follow(hub: HubProcess) -> None:
    labels = ('reason="",status="failure"', 'reason="error",status="error"')
    before = sum(failures(hub, pair) for pair in labels)
    for _ in range(2):
        assert start(hub, "no-credentials").status_code == 500
        assert gone(hub, "no-credentials")
    after = sum(failures(hub, pair) for pair in labels)
    assert after - before == 2


def test_state_and_progress_that_json_cannot_hold_hinder_no_start(hub: HubProcess) -> None:
    assert start(hub, "odd").status_code == 201
    assert ready(hub, "odd")
    assert hub.servers()["odd"]["state"]["odd"] is None


def test_a_file_sent_with_the_form_reaches_the_spawner(hub: HubProcess) -> None:
    browser = hub.sign_in("chooser")
    form = browser.get("/hub/spawn")
    assert "SIZES" in form.text
    started = browser.post(
        "/hub/spawn",
        data={"_xsrf": xsrf_of(browser)},
        files={"f": ("a.bin", b"\xff\x00", "text/plain")},
        follow_redirects=False,
    )
    assert started.status_code == 302
    wait_for("chooser's server", lambda: ready(hub, "chooser"))
    sent = hub.servers()["chooser"]["user_options"]["f_file"][0]
    assert sent["filename"] == "a.bin"


@pytest.mark.parametrize(("size", "status"), [("bad", 422), ("worse", 400)])
def test_options_that_are_refused_bring_the_form_again_with_that_status(
    hub: HubProcess, size: str, status: int
) -> None:
    browser = hub.sign_in("picky")
    for answer in (
        browser.get("/hub/spawn", params={"opt-size": size}),
        browser.post("/hub/spawn", data={"_xsrf": xsrf_of(browser), "size": size}),
    ):
        assert answer.status_code == status
        assert "no such size" in answer.text


def test_options_of_a_link_are_taken_and_bytes_that_are_no_text_refused(hub: HubProcess) -> None:
    browser = hub.sign_in("linker")
    assert browser.get("/hub/spawn?opt-size=%ff").status_code == 400
    browser.get("/hub/spawn?opt-size=large", follow_redirects=False)
    wait_for("linker's server", lambda: ready(hub, "linker"))
    assert hub.servers()["linker"]["user_options"] == {"size": ["large"]}
    assert browser.get("/hub/?x=%ff", follow_redirects=False).status_code == 302
    assert hub.api.get("/users").status_code == 200


def test_a_container_that_ended_with_words_is_noticed(hub: HubProcess) -> None:
    assert start(hub, "contained").status_code == 201
    (hub.directory / "gone-contained").touch()
    wait_for("the end of contained's server", lambda: gone(hub, "contained"))
    (hub.directory / "gone-contained").unlink()
    assert start(hub, "contained").status_code == 201


def test_a_start_while_the_server_stops_is_answered_at_once_and_succeeds_later(
    hub: HubProcess,
) -> None:
    assert start(hub, "hasty", stop_s=2).status_code == 201
    assert hub.api.delete("/users/hasty/server").status_code == 202
    began = time.monotonic()
    assert hub.api.post("/users/hasty/server").status_code == 400
    assert time.monotonic() - began < 1.5
    page = hub.sign_in("hasty").get("/hub/spawn")
    assert page.status_code == 200
    wait_for("the end of the stop", lambda: gone(hub, "hasty"))
    assert hub.api.post("/users/hasty/server").status_code == 201


def test_a_start_that_somebody_cancels_is_a_conflict_and_no_fault_of_the_hub(
    hub: HubProcess,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(start, hub, "waiting", hold=True)
        wait_for("the start", lambda: hub.servers().get("waiting", {}).get("pending") == "spawn")
        assert hub.api.delete("/users/waiting/server").status_code in (202, 204)
        assert waiting.result(30).status_code == 409


def test_a_program_that_asks_for_a_running_server_at_the_hub_is_sent_there(hub: HubProcess) -> None:
    assert start(hub, "ada-runs").status_code == 201
    browser = hub.sign_in("ada-runs")
    back = browser.get("/hub/user/ada-runs/api/status?x=1", follow_redirects=False)
    assert back.status_code == 302
    assert back.headers["location"].startswith("/user/ada-runs/api/status?")
    assert hub.browser().get("/hub/user/nobody/api/status").status_code == 424


def test_a_rename_while_the_server_runs_is_a_conflict(hub: HubProcess) -> None:
    assert start(hub, "steady").status_code == 201
    assert hub.api.patch("/users/steady", json={"name": "other"}).status_code == 409
