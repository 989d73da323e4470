"""A server calls a plug-in's handler on another hub of the same database than the one that
starts it, as batch jobs do."""

import sys
from pathlib import Path

import httpx
import pytest
from harness import GATED_SERVER, MakeHub, free_port, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]

SETTINGS = """
import asyncio, os
from jupyterhub.apihandlers import APIHandler, default_handlers
from jupyterhub.spawner import SimpleLocalProcessSpawner
from tornado.web import authenticated

class Callback(APIHandler):
    @authenticated
    def post(self):
        token = self.get_auth_token()
        for spawner in self.current_user.spawners.values():
            if spawner.api_token == token:
                spawner.port = self.get_json_body()["port"]
        self.set_status(201)
        self.finish({{"replica": {name!r}}})

default_handlers.append((r"/api/callback", Callback))

class Job(SimpleLocalProcessSpawner):
    async def start(self):
        with open({token_file!r}, "w") as file:
            file.write(self.api_token)
        while self.port == 0:
            await asyncio.sleep(0.05)
        return await super().start()

c.JupyterHub.spawner_class = Job
c.JupyterHub.cookie_secret = bytes(32)
c.Spawner.cmd = [{python!r}, "-S", {server!r}]
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
"""


def test_the_callback_reaches_the_hub_that_runs_the_start(
    make_hub: MakeHub, postgresql_url: str, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"

    def settings(name: str) -> str:
        return SETTINGS.format(
            name=name,
            token_file=str(token_file),
            python=sys.executable,
            server=str(GATED_SERVER),
        )

    starting = make_hub(settings("starting"), db_url=postgresql_url)
    other = make_hub(settings("other"), db_url=postgresql_url)
    starting.add_users(["ada"])
    starting.request_server("ada")
    wait_for("the server's token", token_file.exists)
    token = wait_for("its text", token_file.read_text)
    port = free_port()
    answer = other.api_of(token).post("/callback", json={"port": port})
    assert (answer.status_code, answer.json()) == (201, {"replica": "starting"})
    assert other.api_of("no-token-at-all").post("/callback", json={}).status_code == 403
    wait_for("the server", lambda: starting.servers().get("ada", {}).get("ready"))
    reply = httpx.get(f"http://127.0.0.1:{port}/user/ada/api", timeout=10, trust_env=False)
    assert reply.status_code == 200, "it listens where the callback said"
