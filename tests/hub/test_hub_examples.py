"""The example services run as they stand in the repository, and do what their pages say."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from harness import HubProcess, free_port, wait_for
from people import Visitor
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PASSWORD = "example"

pytestmark = pytest.mark.slow


def example_hub(name: str, directory: Path, **environment: str) -> HubProcess:
    """A hub with a copy of the example; only ports differ."""
    leave = shutil.ignore_patterns("data", "__pycache__")
    shutil.copytree(EXAMPLES / name, directory, ignore=leave)
    original = (directory / "jupyterhub_config.py").read_text()
    hub = HubProcess(directory, environment=environment)
    hub.config.write_text(original)
    hub.command += [
        f"--JupyterHub.bind_url={hub.origin}",
        f"--JupyterHub.hub_port={hub.hub_port}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{hub.proxy_port}",
    ]
    return hub


@pytest.fixture
def fastapi_hub(tmp_path: Path) -> Iterator[HubProcess]:
    hub = example_hub("service-fastapi", tmp_path / "hub", SERVICE_PORT=str(free_port()))
    try:
        yield hub.start()
    finally:
        hub.end()


@pytest.fixture
def flask_hub(tmp_path: Path) -> Iterator[HubProcess]:
    hub = example_hub("service-flask", tmp_path / "hub", SERVICE_PORT=str(free_port()))
    try:
        yield hub.start()
    finally:
        hub.end()


@pytest.fixture
def external(tmp_path: Path) -> Iterator[tuple[HubProcess, str]]:
    """The hub, and the origin of the application that runs beside it."""
    settings = {"APP_PORT": str(free_port()), "APP_SECRET": "a-secret-of-this-test-0123456789"}
    hub = example_hub("external-oauth-app", tmp_path / "hub", **settings)
    hub.start()
    env = {**os.environ, **settings, "HUB_URL": hub.origin}
    log = (hub.directory / "app.log").open("wb")
    app = subprocess.Popen(
        [sys.executable, "reports.py"], cwd=hub.directory, env=env, stdout=log, stderr=log
    )
    origin = f"http://127.0.0.1:{settings['APP_PORT']}"
    try:
        wait_for("the application", lambda: answers(f"{origin}/callback"))
        yield hub, origin
    finally:
        app.terminate()
        app.wait(10)
        log.close()
        hub.end()


def answers(url: str) -> bool:
    """Whether something serves the address."""
    try:
        return httpx.get(url, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def sign_out(visit: Visitor, page: httpx.Response) -> None:
    """Follow the page's link, and confirm where the hub asks."""
    link = re.search(r'href="([^"]*logout)"', page.text)
    assert link is not None
    end = visit.client.get(str(page.url.join(link[1])))
    assert end.url.path.startswith("/hub/log"), end.url


def test_the_fastapi_service_knows_its_visitor_in_page_form_api_and_websocket_and_refuses_others(
    fastapi_hub: HubProcess,
) -> None:
    notes = f"{fastapi_hub.origin}/services/notes/"
    wait_for("the service", lambda: answers(f"{notes}health"))
    ada = Visitor(fastapi_hub, "ada", PASSWORD)
    page = ada.open(notes)
    assert (page.status_code, "Notes of ada" in page.text) == (200, True), page.text[:500]
    assert ada.confirmed, "the hub did not ask whether ada agrees"
    kept = ada.send_form(page, "note", text="<remember>")
    assert 'value="&lt;remember&gt;"' in kept.text
    forged = ada.client.post(f"{notes}note", data={"text": "forged"})
    assert forged.status_code == 403

    cookies = "; ".join(
        f"{cookie.name}={cookie.value}"
        for cookie in ada.client.cookies.jar
        if not cookie.path.startswith("/hub")
    )
    live = notes.replace("http", "ws", 1) + "live"
    with connect(live, additional_headers={"Cookie": cookies}, origin=fastapi_hub.origin) as socket:  # type: ignore[arg-type]
        assert socket.recv(timeout=10) == "ada"
        socket.send("?")
        assert socket.recv(timeout=10) == "<remember>"
    for headers in ({}, {"Cookie": cookies, "Origin": "http://evil.example"}):
        with pytest.raises(InvalidStatus) as refused, connect(live, additional_headers=headers):
            pass
        assert refused.value.response.status_code == 403

    sign_out(ada, page)
    assert ada.client.get(notes).url.path == "/hub/login"

    refused = Visitor(fastapi_hub, "eve", PASSWORD).open(notes)
    assert refused.status_code == 403
    assert urlsplit(str(refused.url)).path == "/hub/api/oauth2/authorize"
    program = {"Accept": "application/json"}
    assert httpx.get(f"{notes}api/note", headers=program, trust_env=False).status_code == 403


def test_the_flask_service_gives_badges_and_shows_the_list_to_its_keepers(
    flask_hub: HubProcess,
) -> None:
    badge = f"{flask_hub.origin}/services/badge/"
    wait_for("the service", lambda: answers(badge))
    ada, grace = Visitor(flask_hub, "ada", PASSWORD), Visitor(flask_hub, "grace", PASSWORD)
    page = ada.open(badge)
    assert "<h1>ada</h1>" in page.text
    assert "You have a badge" in ada.send_form(page, "take").text
    assert "<h1>grace</h1>" in grace.open(badge).text
    assert "See who has a badge" in grace.confirmed[0]
    assert grace.client.get(f"{badge}list").json() == ["ada"]
    assert ada.client.get(f"{badge}list").status_code == 403
    assert Visitor(flask_hub, "eve", PASSWORD).open(badge).status_code == 403
    sign_out(ada, page)
    assert ada.client.get(badge).url.path == "/hub/login"
    assert grace.client.get(badge).status_code == 200


def test_a_standard_oauth_client_signs_people_in_until_they_sign_out_there_or_at_the_hub(
    external: tuple[HubProcess, Any],
) -> None:
    hub, app = external
    ada = Visitor(hub, "ada", PASSWORD)
    page = ada.open(app)
    assert (str(page.url), "Reports for ada" in page.text) == (f"{app}/", True), page.text[:500]
    assert ada.confirmed, "the hub did not ask whether ada agrees"
    assert "Reports for ada" in ada.client.get(app).text
    assert Visitor(hub, "eve", PASSWORD).open(app).status_code == 403

    hub_page = ada.client.get(f"{hub.origin}/hub/home")
    assert hub_page.url.path == "/hub/home"
    ada.client.post(f"{app}/sign-out")
    assert ada.client.get(app).url.path == "/hub/login"

    assert "Reports for ada" in ada.open(app).text
    ada.client.get(f"{hub.origin}/hub/logout")
    assert ada.client.get(app).url.path == "/hub/login"
