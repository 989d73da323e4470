"""A real single-user server with JupyterLab (its command in PEER_SINGLEUSER)."""
import json
import os
import shlex
import uuid
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from harness import new_client, plain, wait_until

pytestmark = [pytest.mark.area("real"), pytest.mark.realserver]


@pytest.fixture(scope="module")
def hub(make_hub):
    command = shlex.split(os.environ["PEER_SINGLEUSER"])
    return make_hub(
        f"""
        c.Spawner.cmd = {command!r}
        c.MockSpawner.cmd = {command!r}
        c.Spawner.args = ["--allow-root"]
        c.Spawner.default_url = "/lab"
        c.Spawner.http_timeout = 60
        c.Spawner.start_timeout = 60
        c.Spawner.environment = {{"JUPYTERHUB_ACTIVITY_INTERVAL": "2"}}
        c.JupyterHub.allow_named_servers = True
        """
    )


@pytest.fixture(scope="module")
def api(hub):
    """A client of lena's running server, by token."""
    hub.add_user("lena")
    if not (hub.server("lena") or {}).get("ready"):
        hub.start_server("lena", timeout=90)
    return new_client(headers={"Authorization": "token " + hub.token("lena")})


def test_login_to_lab_with_redirects(hub):
    """Login, start, the OAuth round trip, the page of JupyterLab."""
    browser = hub.browser()
    reply = browser.login("lena")
    assert reply.status_code == 302
    browser.follow("/hub/")
    hub.wait_server("lena", timeout=90)
    reply, trail = browser.follow("/user/lena/lab")
    paths = [urlsplit(url).path for url in trail]
    assert "/hub/api/oauth2/authorize" in paths and "/user/lena/oauth_callback" in paths
    assert paths[-1].startswith("/user/lena/lab") and reply.status_code == 200
    assert "jupyterlab" in reply.text.lower()
    status = browser.get("/user/lena/api/status")
    assert status.status_code == 200 and "started" in status.json()
    again, trail = browser.follow("/user/lena/lab")
    assert again.status_code == 200 and len(trail) <= 2


def test_status_by_token(hub, api):
    assert api.get(hub.url("user/lena/api/status")).status_code == 200


def test_status_without_credentials_is_403(hub, api):
    assert hub.get("user/lena/api/status").status_code == 403


def test_page_without_login_goes_to_the_hub(hub, api):
    reply, trail = hub.browser().follow("/user/lena/lab")
    assert urlsplit(trail[-1]).path == "/hub/login"


def test_stranger_is_turned_away(hub, api):
    reply, trail = hub.login("stranger").follow("/user/lena/lab")
    assert reply.status_code == 403
    head = {"Authorization": "token " + hub.token("stranger")}
    assert hub.get("user/lena/api/status", headers=head).status_code in (403, 404)


def test_token_in_the_url_is_taken_by_default_only_before_version_5(hub, api):
    reply = hub.get("user/lena/api/status", params={"token": hub.token("lena")})
    server = hub.get("user/lena/api").headers["X-JupyterHub-Version"]
    assert reply.status_code == (200 if int(server.partition(".")[0]) < 5 else 403), server


def test_contents(hub, api):
    body = {"type": "file", "format": "text", "content": "Übung"}
    assert api.put(hub.url("user/lena/api/contents/note.txt"), json=body).status_code == 201
    assert api.get(hub.url("user/lena/api/contents/note.txt")).json()["content"] == "Übung"


def test_kernel_computes(hub, api):
    kernel = api.post(hub.url("user/lena/api/kernels"), json={"name": "python3"})
    assert kernel.status_code == 201
    ident = kernel.json()["id"]
    url = hub.url(f"user/lena/api/kernels/{ident}/channels?session_id={uuid.uuid4().hex}").replace("http", "ws", 1)
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "lena", "session": uuid.uuid4().hex,
              "version": "5.3", "date": ""}
    message = {
        "header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
        "content": {"code": "1+1", "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False},
    }
    with connect(url, additional_headers={"Authorization": api.headers["Authorization"]}, open_timeout=30) as ws:
        ws.send(json.dumps(message))
        result = None
        while result is None:
            reply = json.loads(ws.recv(timeout=60))
            if reply["msg_type"] == "execute_result" and reply["parent_header"].get("msg_id") == header["msg_id"]:
                result = reply["content"]["data"]["text/plain"]
    assert result == "2"
    assert api.delete(hub.url(f"user/lena/api/kernels/{ident}")).status_code == 204


def test_websocket_without_credentials_is_refused(hub, api):
    ident = api.post(hub.url("user/lena/api/kernels"), json={"name": "python3"}).json()["id"]
    with pytest.raises(Exception):
        with connect(hub.url(f"user/lena/api/kernels/{ident}/channels").replace("http", "ws", 1)):
            pass
    api.delete(hub.url(f"user/lena/api/kernels/{ident}"))


def test_server_reports_activity(hub, api):
    before = hub.server("lena")["last_activity"]
    api.get(hub.url("user/lena/api/contents"))
    wait_until(lambda: hub.server("lena")["last_activity"] > before, 20, what="newer activity")


def test_named_real_server(hub):
    hub.add_user("nora")
    hub.start_server("nora", "lab", timeout=90)
    head = {"Authorization": "token " + hub.token("nora")}
    assert hub.get("user/nora/lab/api/status", headers=head).status_code == 200
    hub.stop_server("nora", "lab")


def test_stopped_real_server_is_424(hub, api):
    hub.stop_server("lena")
    reply = plain.get(hub.url("hub/user/lena/api/status"), headers={"Authorization": "token " + hub.token("lena")})
    assert reply.status_code == 424
