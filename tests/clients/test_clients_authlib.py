"""Authlib, in an environment that has nothing of any hub, signs a person in to the example."""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from harness import MakeHub, free_port, wait_for
from people import Visitor

APP = Path(__file__).resolve().parents[2] / "examples" / "external-oauth-app" / "reports.py"
SECRET = "a-secret-of-this-test-0123456789"

pytestmark = pytest.mark.slow


def test_authlib_signs_a_person_in_where_pkce_is_required(
    make_hub: MakeHub, authlib_python: str, tmp_path: Path
) -> None:
    port = str(free_port())
    app = f"http://127.0.0.1:{port}"
    hub = make_hub(f"""
c.JupyterHub.oauth_require_pkce = True
c.JupyterHub.services += [{{
    "name": "reports", "oauth_client_id": "service-reports", "api_token": {SECRET!r},
    "oauth_redirect_uri": "{app}/callback",
}}]
c.JupyterHub.load_roles = [{{
    "name": "reports", "users": ["ada"], "scopes": ["access:services!service=reports"],
}}]
""")
    shutil.copy(APP, tmp_path)
    env = {
        "PATH": os.environ["PATH"],
        "HUB_URL": hub.origin,
        "APP_PORT": port,
        "APP_SECRET": SECRET,
    }
    with (tmp_path / "app.log").open("wb") as log:
        process = subprocess.Popen(
            [authlib_python, "reports.py"], cwd=tmp_path, env=env, stdout=log, stderr=log
        )
        try:
            wait_for("the application", lambda: answers(f"{app}/callback"))
            ada = Visitor(hub, "ada")
            page = ada.open(app)
            assert "Reports for ada" in page.text, (page.url, page.text[:500])
            assert ada.confirmed
            assert Visitor(hub, "eve").open(app).status_code == 403
        finally:
            process.terminate()
            process.wait(10)


def answers(url: str) -> bool:
    """Whether something serves the address."""
    try:
        return httpx.get(url, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False
