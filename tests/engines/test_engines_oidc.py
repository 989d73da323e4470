"""OAuthenticator against an OpenID Connect provider."""

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from harness import HubProcess, MakeHub, free_port
from identity import CLIENT_ID, CLIENT_SECRET, PEOPLE, Identity, running_identity

SETTINGS = """
c.JupyterHub.authenticator_class = "generic-oauth"
c.Authenticator.allow_all = False
c.Authenticator.admin_users = set()
c.GenericOAuthenticator.client_id = {client!r}
c.GenericOAuthenticator.client_secret = {secret!r}
c.GenericOAuthenticator.authorize_url = "{origin}/authorize"
c.GenericOAuthenticator.token_url = "{origin}/token"
c.GenericOAuthenticator.userdata_url = "{origin}/userinfo"
c.GenericOAuthenticator.scope = ["openid", "groups"]
c.GenericOAuthenticator.username_claim = "preferred_username"
c.GenericOAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.allowed_groups = {{"hub-users"}}
c.GenericOAuthenticator.admin_groups = {{"hub-admins"}}
c.Authenticator.enable_auth_state = True
c.CryptKeeper.keys = [b"k" * 32]
"""


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    with running_identity(free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def hub(shared_plugin_hub: MakeHub, identity: Identity) -> HubProcess:
    return shared_plugin_hub(
        SETTINGS.format(client=CLIENT_ID, secret=CLIENT_SECRET, origin=identity.origin)
    )


def at_the_provider(hub: HubProcess) -> tuple[httpx.Client, httpx.Response]:
    """A browser that followed the button of the sign-in page to the provider."""
    browser = hub.browser()
    page = browser.get("/hub/login?next=%2Fhub%2Ftoken")
    button = re.search(r'href=["\']([^"\']*oauth_login[^"\']*)', page.text)
    assert button, page.text
    form = browser.get(unescape(button[1]))
    assert "<h1>Provider</h1>" in form.text
    return browser, form


def send(browser: httpx.Client, form: httpx.Response, name: str, password: str) -> httpx.Response:
    action = re.search(r'action="([^"]*)"', form.text)
    assert action
    url = form.url.join(unescape(action[1]))
    return browser.post(url, data={"user": name, "password": password})


def test_the_code_flow_signs_in_with_groups_and_administrators(hub: HubProcess) -> None:
    for name in ("ada", "brook"):
        browser, form = at_the_provider(hub)
        landed = send(browser, form, name, PEOPLE[name]["password"])
        assert landed.url.path == "/hub/token", (landed.url, landed.text[:500])
        user = hub.client.user(name)
        assert user.admin is (name == "ada")
        assert sorted(user.groups or ()) == sorted(PEOPLE[name]["groups"])
    state = hub.api.get("/users/ada").json()["auth_state"]
    assert state["oauth_user"]["email"] == "ada@example.org"
    assert state["access_token"]


def test_a_wrong_password_stays_at_the_provider_and_makes_no_account(hub: HubProcess) -> None:
    browser, form = at_the_provider(hub)
    refused = send(browser, form, "chen", "guess")
    assert refused.status_code == 401
    assert browser.get("/hub/home").url.path == "/hub/login"
    assert "chen" not in [user.name for user in hub.client.users()]


def test_a_person_outside_the_groups_is_refused_with_the_hubs_page(hub: HubProcess) -> None:
    browser, form = at_the_provider(hub)
    refused = send(browser, form, "eve", PEOPLE["eve"]["password"])
    assert refused.status_code == 403
    assert browser.get("/hub/home").url.path == "/hub/login"
    assert "eve" not in [user.name for user in hub.client.users()]


def test_a_callback_with_somebody_elses_state_is_refused(hub: HubProcess) -> None:
    browser, _ = at_the_provider(hub)
    forged = browser.get("/hub/oauth_callback?code=x&state=eyJzdGF0ZV9pZCI6ICJ4In0")
    assert forged.status_code == 400
    assert browser.get("/hub/home").url.path == "/hub/login"
