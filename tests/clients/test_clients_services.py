"""Services on upstream's library, as they exist: tornado, Flask, FastAPI; one hub for all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import HubProcess, free_port, wait_for
from people import Visitor

SERVICES = Path(__file__).with_name("services")
NAMES = ("tornado", "flask", "fastapi")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hub(clients_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """All three services, open to the group ``staff``."""
    services = [
        {
            "name": name,
            "url": f"http://127.0.0.1:{free_port()}",
            "command": [clients_python, str(SERVICES / f"with_{name}.py")],
            "environment": {"PYTHONPATH": ""},
        }
        for name in NAMES
    ]
    running = HubProcess(
        tmp_path_factory.mktemp("services") / "hub",
        f"""
c.JupyterHub.services += {services!r}
c.JupyterHub.load_groups = {{"staff": {{"users": ["ada", "grace"]}}}}
c.JupyterHub.load_roles = [{{
    "name": "staff", "groups": ["staff"],
    "scopes": {[f"access:services!service={name}" for name in NAMES]!r},
}}]
""",
    )
    try:
        running.start()
        for name in NAMES:
            wait_for(f"the {name} service", lambda name=name: answers(running, name))
        yield running
    finally:
        running.end()


def answers(hub: HubProcess, name: str) -> bool:
    """Whether the service itself answers through the proxy."""
    reply = httpx.get(f"{hub.origin}/services/{name}/nowhere", trust_env=False)
    return reply.status_code < 500 and "/hub/" not in reply.headers.get("location", "")


def shown(reply: httpx.Response) -> dict[str, Any]:
    """The JSON of a page that should have been shown."""
    assert reply.status_code == 200, (reply.url, reply.text[:500])
    model: dict[str, Any] = reply.json()
    return model


@pytest.mark.parametrize("name", NAMES)
def test_a_person_agrees_once_and_the_service_knows_them(hub: HubProcess, name: str) -> None:
    ada = Visitor(hub, "ada")
    assert shown(ada.open(f"/services/{name}/"))["name"] == "ada"
    assert len(ada.confirmed) == 1
    again = Visitor(hub, "ada")
    assert shown(again.open(f"/services/{name}/"))["name"] == "ada"


@pytest.mark.parametrize("name", NAMES)
def test_a_person_without_access_is_stopped_at_the_hub(hub: HubProcess, name: str) -> None:
    refused = Visitor(hub, "eve").open(f"/services/{name}/")
    assert refused.status_code == 403
    assert refused.url.path == "/hub/api/oauth2/authorize"


def test_the_tornado_service_takes_posts_with_proof_and_knows_tokens(
    hub: HubProcess,
) -> None:
    ada = Visitor(hub, "ada")
    url = f"{hub.origin}/services/tornado/"
    proof = shown(ada.open(url))["xsrf"]
    assert ada.client.post(url).status_code == 403
    assert shown(ada.client.post(url, data={"_xsrf": proof})) == {"posted": "ada"}
    head = {"Authorization": f"token {hub.new_token('grace')}"}
    assert shown(httpx.get(url, headers=head, trust_env=False))["name"] == "grace"
    eves = {"Authorization": f"token {hub.new_token('eve')}"}
    assert httpx.get(url, headers=eves, trust_env=False).status_code == 403


def test_the_tornado_service_asks_for_a_sign_in_after_one_has_signed_out_at_the_hub(
    hub: HubProcess,
) -> None:
    ada = Visitor(hub, "ada")
    shown(ada.open("/services/tornado/"))
    ada.sign_out()
    assert ada.client.get("/services/tornado/").url.path == "/hub/login"


def test_the_fastapi_service_takes_bearer_tokens_and_knows_groups_and_scopes(
    hub: HubProcess,
) -> None:
    url = f"{hub.origin}/services/fastapi/me"
    assert httpx.get(url, trust_env=False).status_code == 401
    head = {"Authorization": f"Bearer {hub.new_token('grace')}"}
    model = shown(httpx.get(url, headers=head, trust_env=False))
    assert model["groups"] == ["staff"]
    assert model["kind"] == "user"
    assert "access:services!service=fastapi" in model["scopes"]
    eves = {"Authorization": f"Bearer {hub.new_token('eve')}"}
    assert httpx.get(url, headers=eves, trust_env=False).status_code == 403
