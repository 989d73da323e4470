"""A hub set up as BinderHub's own local hub is: its builder is a service, users are temporary."""

import json
import os
import sys

import httpx
import psutil
import pytest
from harness import HERE, HubProcess, MakeHub, free_port, wait_for

pytestmark = pytest.mark.slow

SETTINGS = """
import os, sys
from jupyterhub.spawner import LocalProcessSpawner
from tornado import web
from traitlets import Bool, Unicode
from traitlets.config import Configurable

class FromOptions(Configurable):
    '''Takes image and token from user_options, and passes them to a plain Jupyter server.'''

    with_accounts = Bool(False, config=True)
    allowed_origin = Unicode("", config=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def get_args(self):
        if self.with_accounts:
            return super().get_args()
        shared = {{
            "base_url": self.server.base_url,
            "token": self.user_options["token"],
            "trust_xheaders": "True",
            "allow_origin": self.allowed_origin,
        }}
        if self.default_url:
            shared["default_url"] = self.default_url
        words = ["--ip=127.0.0.1", f"--port={{self.port}}", *self.args]
        for app in ("NotebookApp", "ServerApp"):
            words += [f"--{{app}}.{{name}}={{value}}" for name, value in shared.items() if value]
        return words

    def start(self):
        for needed in ("token", "image"):
            if needed not in self.user_options:
                raise web.HTTPError(400, f"{{needed}} required")
        self.image = self.user_options["image"]
        return super().start()

    def get_env(self):
        env = super().get_env()
        env["IMAGE"] = self.image
        if "repo_url" in self.user_options:
            env["BINDER_REPO_URL"] = self.user_options["repo_url"]
        for key in ("binder_ref_url", "binder_request", "binder_launch_host"):
            if key in self.user_options:
                env[key.upper()] = self.user_options[key]
        return env

class ImageSpawner(FromOptions, LocalProcessSpawner):
    image = Unicode()

    def make_preexec_fn(self, name):
        home = os.path.join({home!r}, name)
        def enter():
            os.makedirs(home, exist_ok=True)
            os.chdir(home)
        return enter

    def user_env(self, env):
        return env | {{"HOME": os.path.join({home!r}, self.user.name)}}

c.JupyterHub.spawner_class = ImageSpawner
c.ImageSpawner.allowed_origin = "*"
c.ImageSpawner.cmd = [{python!r}, "-m", "jupyterlab"]
c.ImageSpawner.args = {args!r}
c.Spawner.debug = True
c.Spawner.http_timeout = c.Spawner.start_timeout = 90
c.Application.log_level = "DEBUG"
c.JupyterHub.authenticator_class = {authenticator!r}
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
c.JupyterHub.services += [{{
    "name": "binder",
    "admin": True,
    "command": [{python!r}, {service!r}],
    "url": "http://127.0.0.1:{port}",
    "environment": {{"JUPYTERHUB_EXTERNAL_URL": ""}},
}}]
c.JupyterHub.default_url = "/services/binder/"
"""


@pytest.fixture
def hub(make_hub: MakeHub, tmp_path_factory: pytest.TempPathFactory) -> HubProcess:
    """Such a hub, whose service answers."""
    settings = SETTINGS.format(
        python=sys.executable,
        service=str(HERE / "binder_service.py"),
        port=free_port(),
        home=str(tmp_path_factory.mktemp("homes")),
        authenticator="null",
        args=["--no-browser", *(["--allow-root"] if os.geteuid() == 0 else [])],
    )
    made = make_hub(settings)
    browser = made.browser()
    wait_for("the builder's page", lambda: browser.get("/").text == "What shall I build?")
    return made


def server_of(user: str) -> psutil.Process:
    """The process of the user's server. It works in a home outside the hub's directory."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"base_url=/user/{user}/" in word for word in process.info["cmdline"] or [])
    ]
    return found


def test_a_visitor_comes_to_the_builder_and_from_there_to_a_server(hub: HubProcess) -> None:
    before = {route.routespec for route in hub.client.routes()}
    with hub.browser().stream("GET", "/services/binder/build/planets") as reply:
        lines = [line for line in reply.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["phase"] for event in events] == ["building", "built", "launching", "ready"]
    assert events[2]["message"] == "answered 202", "slow_spawn_timeout 0 does not wait"
    ready = events[-1]

    page = f"{hub.origin}{ready['url']}"
    arrived = httpx.get(f"{page}lab", params={"token": ready["token"]}, trust_env=False)
    assert (arrived.status_code, "jupyterlab" in arrived.text.lower()) == (200, True)
    assert httpx.get(f"{page}api/contents", trust_env=False).status_code == 403
    headers = {"Authorization": f"token {ready['token']}", "Origin": "https://elsewhere.example"}
    known = httpx.get(f"{page}api/contents", headers=headers, trust_env=False)
    assert known.status_code == 200
    assert known.headers["access-control-allow-origin"] == "*"

    server = server_of(ready["user"])
    assert f"--NotebookApp.token={ready['token']}" in server.cmdline()
    assert f"--ServerApp.base_url={ready['url']}" in server.cmdline()
    environment = server.environ()
    assert environment["IMAGE"] == "registry.example/planets:1"
    assert environment["BINDER_REPO_URL"] == "https://git.example/planets"
    assert environment["BINDER_REQUEST"] == "v2/git/planets/main"
    assert ready["token"] not in hub.log.read_text(), "the token stands in the hub's log"

    assert hub.client.stop_server(ready["user"], wait_s=60)
    assert hub.client.delete_user(ready["user"], wait_s=60)
    assert {route.routespec for route in hub.client.routes()} == before
    assert not server.is_running()


def test_a_refusal_of_the_spawner_is_told_in_its_words(hub: HubProcess) -> None:
    hub.client.create_user("someone")
    reply = hub.api.post("/users/someone/server", json={"image": "x"})
    assert reply.status_code == 202
    wait_for("the end of the start", lambda: hub.last_event("someone").get("failed"))
    assert "token required" in hub.last_event("someone")["message"]
    assert hub.client.delete_user("someone", wait_s=30)
