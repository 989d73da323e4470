"""Handlers in an application that a suite of a plug-in made by itself, with few settings."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application
from traitlets.config import Config

from perijove.compat.api import APIHandler
from perijove.compat.app import JupyterHub
from perijove.compat.base import BaseHandler
from perijove.plugins.local import LocalProcessSpawner


def handler_of(kind: type[BaseHandler], query: str = "", **settings: Any) -> Any:
    application = Application(
        hub=Mock(base_url="/hub/", server=Mock(base_url="/hub/")),
        cookie_secret=os.urandom(32),
        db=Mock(dirty=()),
        **settings,
    )
    headers = HTTPHeaders({"Host": "hub.example", "Authorization": "Bearer secret"})
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", f"/hub/x{query}", "HTTP/1.1"),
        headers=headers,
        connection=Mock(context=SimpleNamespace(remote_ip="10.0.0.1", protocol="https")),
    )
    made = kind(application, request)
    made._transforms = []
    return made


@pytest.mark.parametrize("kind", [BaseHandler, APIHandler])
def test_what_needs_no_hub_works_with_the_settings_alone(kind: type[BaseHandler]) -> None:
    handler = handler_of(kind, "?a=1", login_url="/hub/login", cookie_options={"samesite": "Lax"})
    assert handler.base_url == "/"
    assert handler.get_auth_token() == "secret"
    assert handler.spawner_class is LocalProcessSpawner
    assert handler.append_query_parameters("/x") == "/x?a=1"
    handler._set_cookie("state", "value", expires_days=1)
    handler._set_cookie("open", "value", encrypted=False)
    cookies = handler._new_cookie
    assert cookies["open"].value == "value"
    assert cookies["state"].value != "value"
    assert all(cookie["secure"] and cookie["httponly"] for cookie in cookies.values())
    assert {cookie["samesite"] for cookie in cookies.values()} == {"Lax"}
    assert handler.find_user("nobody") is None
    handler.statsd.incr("login.request")
    timer = handler.statsd.timer("login.authenticate").start()
    timer.stop(send=False)
    with handler.statsd.timer("login"):
        assert timer.ms == 0


@pytest.mark.parametrize(
    ("query", "user", "settings", "target"),
    [
        ("?next=/hub/token", None, {}, "/hub/token"),
        ("?next=//evil.example", None, {}, "/hub/home"),
        ("?a=1", None, {}, "/hub/home?a=1"),
        ("", SimpleNamespace(url="/user/a/", spawner=Mock(active=True)), {}, "/user/a/"),
        ("", SimpleNamespace(url="/user/a/", spawner=Mock(active=False)), {}, "/hub/spawn"),
        ("", SimpleNamespace(url="/user/a/"), {"redirect_to_server": False}, "/hub/home"),
        ("", None, {"default_url": "/start"}, "/start"),
        ("", None, {"default_url": lambda handler: handler.hub.base_url + "mine"}, "/hub/mine"),
    ],
)
def test_where_people_go_follows_from_the_settings(
    query: str, user: Any, settings: dict[str, Any], target: str
) -> None:
    assert handler_of(BaseHandler, query, **settings).get_next_url(user) == target


def test_an_application_that_is_never_started_makes_its_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config()
    config.JupyterHub.internal_ssl = True
    config.JupyterHub.internal_certs_location = "certificates"
    config.JupyterHub.trusted_alt_names = ["DNS:hub.example"]
    app = JupyterHub(config=config)
    app.init_internal_ssl()
    assert app.internal_certs_location == "certificates"
    assert Path(app.internal_trust_bundles["hub-ca"]).is_file()
    assert Path(app.internal_proxy_certs["proxy-api"]["certfile"]).is_file()
    assert app.internal_ssl_ca == app.internal_trust_bundles["hub-ca"]


def test_without_internal_ssl_there_are_no_certificates(tmp_path: Path) -> None:
    app = JupyterHub(internal_certs_location=str(tmp_path / "certificates"))
    app.init_internal_ssl()
    assert app.internal_trust_bundles == {}
    assert list(tmp_path.iterdir()) == []
