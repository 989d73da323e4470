"""Temporary users with real single-user servers: a token in the link is all that they need."""

import os
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from harness import PERIJOVE, MakeHub, missing, wait_for
from leftovers import rows

from perijove.wire.requests import ServerRequest, TokenRequest

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PERIJOVE_TEST_PEERS", ROOT / ".cache" / "peers"))
COMMANDS = {
    "perijove": [str(PERIJOVE), "singleuser"],
    "jupyterhub": [str(PEERS / "jupyterhub-6.1.1" / "bin" / "jupyterhub-singleuser")],
}

pytestmark = pytest.mark.slow

SETTINGS = """
c.JupyterHub.authenticator_class = "null"
c.JupyterHub.hub_routespec = "/hub/api/"
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
c.Spawner.cmd = {command!r}
c.Spawner.args = {args!r}
c.Spawner.environment = {{"JUPYTERHUB_ALLOW_TOKEN_IN_URL": "1"}}
c.Spawner.start_timeout = c.Spawner.http_timeout = 90
"""
OPTIONS = {"image": "registry/x:1", "ratio": 0.5, "nested": {"a": [1, None, {"ü": "日本"}]}}


@pytest.mark.parametrize("kind", sorted(COMMANDS))
def test_a_temporary_user_comes_by_a_link_and_leaves_nothing(make_hub: MakeHub, kind: str) -> None:
    command = COMMANDS[kind]
    if not Path(command[0]).exists():
        missing(f"{command[0]} is not installed (scripts/peer_venv.sh)")
    args = ["--allow-root"] if os.geteuid() == 0 else []
    hub = make_hub(SETTINGS.format(command=command, args=args))
    database = f"sqlite:///{hub.directory / 'hub.sqlite'}"
    before = rows(database)

    name = "visitor-1"
    hub.client.create_user(name, exist_ok=True)
    assert not hub.client.start_server(name, "", ServerRequest(user_options=OPTIONS))
    events = list(hub.client.follow_start(name))
    assert events[-1].ready
    assert events[-1].url == f"/user/{name}/"
    assert hub.servers()[name]["user_options"] == OPTIONS
    path, lenient = f"/users/{name}/server", {"Prefer": "handling=lenient"}
    assert [hub.api.post(path, headers=head).status_code for head in ({}, lenient)] == [400, 200]
    wish = TokenRequest(scopes=[f"access:servers!server={name}/"], expires_in=600)
    token = hub.client.create_token(name, wish).token

    with closing(httpx.Client(base_url=hub.origin, timeout=30, trust_env=False)) as visitor:
        arrived = visitor.get(f"/user/{name}/lab", params={"token": token}, follow_redirects=True)
        assert (arrived.status_code, "jupyterlab" in arrived.text.lower()) == (200, True)
        assert visitor.get(f"/user/{name}/lab").status_code == 200, "the cookie was not kept"
    page = httpx.get(f"{hub.origin}/user/{name}/lab", follow_redirects=True, trust_env=False)
    assert (page.status_code, page.json()["status"]) == (403, 403), "a stranger is sent to sign in"

    assert hub.client.stop_server(name, wait_s=60)
    assert hub.client.delete_user(name, wait_s=60)
    assert not hub.server_processes()
    assert {route.routespec for route in hub.client.routes()} == {"/hub/api/"}
    wait_for("the last rows to go", lambda: rows(database) == before)
