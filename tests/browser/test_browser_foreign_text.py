"""What people, servers and links write is shown as text: no script in it runs, on any page.

The text is a picture that does not exist and says so to a script. It stands in every
field that somebody else can fill: names, notes, descriptions, errors, addresses.
"""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from harness import PASSWORD, HubProcess
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = "\"'><img src=x onerror=canary=1><svg onload=canary=1>{{7*7}}"
LIMIT_MS = 30_000

SETTINGS = f"""
import asyncio
from jupyterhub.spawner import SimpleLocalProcessSpawner

EVIL = {EVIL!r}

class Complaining(SimpleLocalProcessSpawner):
    async def start(self):
        await asyncio.sleep(3)  # longer than the hub waits before it shows how a start goes on
        raise RuntimeError(EVIL)

    async def progress(self):
        yield {{"progress": 50, "message": EVIL}}
        yield {{"progress": 60, "html_message": "<b>fine</b>" + EVIL}}

c.JupyterHub.spawner_class = Complaining
c.JupyterHub.allow_named_servers = True
c.JupyterHub.services += [{{
    "name": "dashboard", "url": "http://127.0.0.1:1", "display": True, "info": {{"text": EVIL}},
    "oauth_redirect_uri": c.JupyterHub.bind_url + "hub/health",
    "api_token": "dashboard-token-0123456789",
}}]
c.JupyterHub.load_groups = {{EVIL: {{"users": [EVIL]}}}}
c.JupyterHub.load_roles = [
    {{"name": "evil", "description": EVIL, "users": [EVIL, "admin"],
      "scopes": ["access:services", "self", "shares!user"]}},
]
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub in which everything has an evil name."""
    running = HubProcess(tmp_path_factory.mktemp("text") / "hub", SETTINGS).start()
    try:
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def signed_in(hub: HubProcess, browser: Browser) -> Iterator[Page]:
    """A page of somebody whose very name is the text."""
    context = browser.new_context()
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    sign_in(hub, page, EVIL)
    yield page
    context.close()


def sign_in(hub: HubProcess, page: Page, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{hub.origin}/hub/login?next=%2Fhub%2Fhome")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_load_state("networkidle")


def shows_only_text(page: Page, *, somewhere: bool = True) -> None:
    """No script of the text has run or is left to run; ``somewhere`` the text can be read.

    When a page is loaded its pictures have failed, and their scripts would have run.
    """
    assert page.evaluate("typeof window.canary") == "undefined", page.url
    assert page.locator("[onerror], [onload]").count() == 0, page.url
    if somewhere:
        assert "onerror=canary=1" in page.content(), page.url
        assert "{{7*7}}" in page.content(), page.url


def test_on_pages_of_somebody_with_such_a_name(hub: HubProcess, signed_in: Page) -> None:
    for path in ("home", "token", f"spawn-pending/{quote(EVIL, safe='')}", "api-docs"):
        signed_in.goto(f"{hub.origin}/hub/{path}")
        shows_only_text(signed_in)


LINKS = (
    "none/{}",
    "error/503?url={}",
    "accept-share?code={}",
    "api/oauth2/authorize?client_id={}&redirect_uri={}&response_type=code&state={}",
    "api/oauth2/authorize?client_id=service-dashboard&response_type={}&scope={}",
    "home?{}={}",
    "user-redirect/{}",
    "spawn?opt-x={}",
    "spawn/{}/{}",
    "token?next={}",
    "logout?next={}",
    "login?next={}&username={}",
    "login?next=javascript%3Acanary%3D1",
)


@pytest.mark.parametrize("known", [False, True], ids=["a stranger", "somebody known"])
def test_in_whatever_part_of_a_link(hub: HubProcess, page: Page, known: bool) -> None:
    if known:
        sign_in(hub, page, "bob")
    for path in LINKS:
        page.goto(f"{hub.origin}/hub/{path.replace('{}', quote(EVIL, safe=''))}")
        shows_only_text(page, somewhere=False)


def test_on_the_form_that_refuses_such_a_name(hub: HubProcess, page: Page) -> None:
    sign_in(hub, page, EVIL, "wrong")
    assert page.input_value("input[name=username]") == EVIL
    shows_only_text(page)


def test_in_what_a_start_tells_and_why_it_failed(hub: HubProcess, signed_in: Page) -> None:
    signed_in.goto(f"{hub.origin}/hub/home")
    signed_in.click("#start")
    signed_in.get_by_text("The start failed").wait_for()
    shows_only_text(signed_in)
    signed_in.goto(f"{hub.origin}/hub/spawn-pending/{quote(EVIL, safe='')}")
    shows_only_text(signed_in)


def test_on_the_pages_of_an_administrator(hub: HubProcess, page: Page) -> None:
    sign_in(hub, page, "admin")
    for tab in ("", "#users", "#groups", "#services", "#hub"):
        page.goto("about:blank")
        page.goto(f"{hub.origin}/hub/admin{tab}", wait_until="networkidle")
        shows_only_text(page, somewhere=tab in {"", "#users", "#groups", "#services"})


def test_on_the_page_that_asks_whether_an_application_may(hub: HubProcess, signed_in: Page) -> None:
    query = "client_id=service-dashboard&response_type=code&state=x"
    signed_in.goto(f"{hub.origin}/hub/api/oauth2/authorize?{query}")
    assert signed_in.locator("form [type=submit]").count()
    shows_only_text(signed_in)
