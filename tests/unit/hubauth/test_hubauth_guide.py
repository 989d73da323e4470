"""The code of the guide for services is whole: it runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from tornado.ioloop import IOLoop
from tornado.web import Application

from perijove.hubauth.configurable import HubAuth
from perijove.hubauth.handlers import HubAuthenticated

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "write-a-service.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
CODE = {
    "fastapi": "from fastapi",
    "flask": "from flask",
    "tornado": "from tornado",
    "scopes": "require_scopes(",
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``run(name, ...)``: the names that these blocks define, in the environment of a service."""
    environment = {
        "JUPYTERHUB_SERVICE_NAME": "notes",
        "JUPYTERHUB_API_TOKEN": "token-of-the-service",
        "JUPYTERHUB_CLIENT_ID": "service-notes",
        "JUPYTERHUB_SERVICE_PREFIX": "/services/notes/",
        "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run_blocks(*names: str) -> dict[str, Any]:
        space: dict[str, Any] = {"__name__": "guide"}
        for name in names:
            (block,) = [block for block in BLOCKS if CODE[name] in block]
            exec(block, space)
        return space

    return run_blocks


def test_the_fastapi_service_has_its_page_below_the_prefix(run: Any) -> None:
    made = run("fastapi", "scopes")
    paths = {getattr(route, "path", "") for route in made["app"].routes}
    assert {"/services/notes/", "/services/notes/list"} <= paths


def test_the_flask_service_has_its_page_below_the_prefix(run: Any) -> None:
    app: Flask = run("flask")["app"]
    assert "/services/notes/" in {rule.rule for rule in app.url_map.iter_rules()}
    assert app.test_client().get("/services/notes/").status_code == 302


def test_the_tornado_service_listens_where_the_hub_says(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[tuple[int, str]] = []

    class Loop:
        def start(self) -> None:
            listened.append((0, "started"))

    monkeypatch.setattr(
        Application, "listen", lambda app, port, host: listened.append((port, host))
    )
    monkeypatch.setattr(IOLoop, "current", lambda: Loop())
    page = run("tornado")["Page"]
    assert listened == [(1, "127.0.0.1"), (0, "started")]
    assert issubclass(page, HubAuthenticated)
    HubAuth.clear_instance()
