"""LTI 1.3: a learning management system launches the hub, in a browser."""

import base64
import json
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import HubProcess, MakeHub, free_port, hidden_field
from identity import CLIENT_ID, LTI, Identity, running_identity
from playwright.sync_api import Browser

SETTINGS = """
from ltiauthenticator.lti13.auth import LTI13Authenticator

class CourseAuthenticator(LTI13Authenticator):
    async def authenticate(self, handler, data=None):
        user = await super().authenticate(handler, data)
        roles = data[{roles!r}]
        return {{**user, "admin": any(role.endswith("#Instructor") for role in roles)}}

c.JupyterHub.authenticator_class = CourseAuthenticator
c.Authenticator.admin_users = set()
c.LTI13Authenticator.issuer = {origin!r}
c.LTI13Authenticator.authorize_url = "{origin}/lti/auth"
c.LTI13Authenticator.jwks_endpoint = "{origin}/jwks"
c.LTI13Authenticator.client_id = {{{client!r}}}
c.LTI13Authenticator.username_key = "email"
c.LTI13Authenticator.uri_scheme = "http"
"""


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    with running_identity(free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def hub(shared_plugin_hub: MakeHub, identity: Identity) -> HubProcess:
    return shared_plugin_hub(
        SETTINGS.format(client=CLIENT_ID, origin=identity.origin, roles=LTI + "roles")
    )


def initiation(hub: HubProcess, identity: Identity, name: str) -> dict[str, str]:
    """What a platform sends first."""
    return {
        "iss": identity.origin,
        "login_hint": name,
        "target_link_uri": f"{hub.origin}/hub/token",
        "client_id": CLIENT_ID,
        "lti_message_hint": "hint",
    }


def launch_form(hub: HubProcess, identity: Identity, name: str) -> tuple[httpx.Client, dict]:
    """A browser, and the fields that the platform has it post to the hub."""
    browser = hub.browser()
    page = browser.post("/hub/lti13/oauth_login", data=initiation(hub, identity, name))
    assert page.url.path == "/lti/auth", (page.url, page.text[:300])
    return browser, {field: hidden_field(page.text, field) for field in ("state", "id_token")}


def nonce_of(token: str) -> str:
    """The nonce among the claims of a token."""
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["nonce"])


def test_a_launch_in_a_browser_ends_on_the_linked_page(
    browser: Browser, hub: HubProcess, identity: Identity
) -> None:
    query = httpx.QueryParams(initiation(hub, identity, "brook"))
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(f"{hub.origin}/hub/lti13/oauth_login?{query}")
        page.wait_for_url(re.compile(r"/hub/token$"), timeout=30_000)
        assert "brook@example.org" in page.content()
    finally:
        context.close()


def test_roles_of_the_course_make_administrators(hub: HubProcess, identity: Identity) -> None:
    for name, admin in (("ada", True), ("brook", False)):
        browser, fields = launch_form(hub, identity, name)
        landed = browser.post("/hub/lti13/oauth_callback", data=fields)
        assert landed.url.path == "/hub/token", (landed.url, landed.text[:500])
        assert hub.client.user(f"{name}@example.org").admin is admin


def test_forged_replayed_and_foreign_launches_are_refused(
    hub: HubProcess, identity: Identity
) -> None:
    foreign_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    launch = identity.launch
    tampered: list[tuple[int, str, Callable[[str], str]]] = [
        (400, "Signature", lambda nonce: identity.signed(launch("eve", nonce), foreign_key)),
        (400, "nonce", lambda nonce: identity.signed(launch("eve", "another"))),
        (401, "udience", lambda nonce: identity.signed({**launch("eve", nonce), "aud": "x"})),
    ]
    for status, reason, token in tampered:
        browser, fields = launch_form(hub, identity, "eve")
        fields["id_token"] = token(nonce_of(fields["id_token"]))
        reply = browser.post("/hub/lti13/oauth_callback", data=fields)
        assert reply.status_code == status, reply.text
        assert reason in hub.log_end(3)
    _, fields = launch_form(hub, identity, "eve")
    stranger = hub.browser().post("/hub/lti13/oauth_callback", data=fields)
    assert stranger.status_code == 400
    assert "eve@example.org" not in [user.name for user in hub.client.users()]
