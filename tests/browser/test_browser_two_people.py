"""Two people, two servers, one service, a browser for each; on one domain and on many."""

import re

import pytest
from harness import wait_for
from playwright.sync_api import Browser, Page, expect
from two_people import LIMIT_MS, SECRET, House, Person

from perijove.wire.requests import ShareRequest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REVOKED_WITHIN_S = 10
SOCKET_CLOSED_WITHIN_S = 15
SIGNED_OUT_WITHIN_S = 5

ASK_STATUS = """async (base) => {
    const proof = document.cookie.match(/_xsrf=([^;]+)/);
    const headers = {"X-XSRFToken": proof ? proof[1] : ""};
    return (await fetch(base + "api/status", {headers})).status;
}"""


def light_page(house: House, visitor: Person) -> Page:
    """A page of ada's server for scripts: an error page, by way of signing in; Lab takes longer."""
    return visitor.open(f"{house.server('ada')}login?next=/user/ada/no-such-page")


def status_of(page: Page, url: str) -> int:
    """The status of a page that is gone to."""
    reply = page.goto(url, timeout=LIMIT_MS)
    assert reply is not None
    return reply.status


def test_each_sees_only_their_own_server_and_name(
    house: House, ada: Person, mallory: Person
) -> None:
    lab = ada.open(house.server("ada"))
    expect(lab).to_have_title(re.compile("JupyterLab"), timeout=LIMIT_MS)
    expect(lab.get_by_text("secret.txt")).to_be_visible(timeout=LIMIT_MS)
    theirs = mallory.open(house.server("mallory"))
    expect(theirs.locator("h1")).to_have_text("Server of mallory, seen by mallory")

    assert status_of(mallory.context.new_page(), house.server("ada") + "lab") in {403, 404}
    assert status_of(ada.context.new_page(), house.server("mallory")) in {403, 404}

    expect(ada.open(house.notes).locator("h1")).to_have_text("Notes of ada")
    page = mallory.open(house.notes)
    expect(page.locator("h1")).to_have_text("Notes of mallory")
    page.fill("input[name=text]", "mine")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("input[name=text]")).to_have_value("mine")
    expect(ada.open(house.notes).locator("input[name=text]")).to_have_value("")


def test_sharing_by_link_works_and_ends_when_it_is_revoked(
    house: House, ada: Person, mallory: Person
) -> None:
    code = house.hub.client.create_share_code("ada", "")
    guest = mallory.open(f"{house.origin}/hub/accept-share?code={code.code}")
    guest.locator("form [type=submit]").click()
    guest.wait_for_load_state()
    light = light_page(house, mallory)
    assert light.evaluate(ASK_STATUS, house.server("ada")) == 200

    house.hub.client.revoke_share("ada", "", ShareRequest(user="mallory"))
    wait_for(
        "the end of mallory's requests",
        lambda: light.evaluate(ASK_STATUS, house.server("ada")) == 403,
        REVOKED_WITHIN_S,
    )
    assert status_of(mallory.context.new_page(), house.server("ada") + "lab") in {403, 404}
    again = mallory.open(f"{house.origin}/hub/accept-share?code={code.code}")
    assert SECRET not in again.content()
    own = light_page(house, ada)
    assert own.evaluate(ASK_STATUS, house.server("ada")) == 200


POLL = """(url) => {
    window.statuses = [];
    window.setInterval(async () => {
        const proof = document.cookie.match(/_xsrf=([^;]+)/);
        const headers = {"X-XSRFToken": proof ? proof[1] : ""};
        try { window.statuses.push((await fetch(url, {headers})).status); }
        catch { window.statuses.push(0); }
    }, 200);
}"""

OPEN_SOCKET = """(url) => new Promise(done => {
    const socket = new WebSocket(url);
    socket.onopen = () => done("open");
    socket.onclose = event => { window.closedWith = [event.code, event.reason]; done("closed"); };
})"""

LAB_TOKEN = "JSON.parse(document.getElementById('jupyter-config-data').textContent).token"


def test_signing_out_in_one_tab_ends_all_while_they_go_on_asking(
    house: House, ada: Person, browser: Browser
) -> None:
    server, hub, notes = house.server("ada"), f"{house.origin}/hub/", house.notes
    expect(ada.open(notes).locator("h1")).to_have_text("Notes of ada")
    lab = ada.open(f"{server}lab")
    tabs = {
        ada.open(f"{server}login?next=/user/ada/no-such-page"): f"{server}api/status",
        ada.open(f"{hub}token"): f"{hub}api/user",
        ada.open(notes): f"{notes}api/note",
    }
    for tab, url in tabs.items():
        tab.evaluate(POLL, url)
        tab.wait_for_function("() => window.statuses.includes(200)")
    socket = f"{server}api/events/subscribe?token={lab.evaluate(LAB_TOKEN)}".replace(
        "http", "ws", 1
    )
    listening = next(iter(tabs))
    assert listening.evaluate(OPEN_SOCKET, socket) == "open"
    copied = ada.context.cookies()

    ada.sign_out()

    for tab in tabs:
        wait_for(
            f"the end of what {tab.url} may ask",
            lambda tab=tab: tab.evaluate("() => window.statuses.at(-1)") == 403,  # type: ignore[misc]
            SIGNED_OUT_WITHIN_S,
        )
    thief = browser.new_context()
    thief.add_cookies(copied)  # type: ignore[arg-type]
    stolen = thief.new_page()
    for url in tabs.values():
        assert status_of(stolen, url) == 403 or "/hub/login" in stolen.url, url
    thief.close()
    wait_for(
        "the end of the socket",
        lambda: listening.evaluate("() => window.closedWith ?? null"),
        SOCKET_CLOSED_WITHIN_S,
    )
    assert listening.evaluate("() => window.closedWith") == [
        1008,
        "signed out or no longer allowed",
    ]
    for tab in tabs:
        tab.evaluate("() => { window.statuses = [] }")
        tab.wait_for_function("() => window.statuses.length >= 3")
        assert set(tab.evaluate("() => window.statuses")) == {403}
    names = {cookie["name"] for cookie in ada.context.cookies()}
    assert "jupyterhub-hub-login" not in names, names


def test_signing_out_at_the_hub_ends_the_session_at_server_and_service(
    house: House, ada: Person, browser: Browser
) -> None:
    light = light_page(house, ada)
    notes = ada.open(house.notes)
    expect(notes.locator("h1")).to_have_text("Notes of ada")
    assert light.evaluate(ASK_STATUS, house.server("ada")) == 200
    copied = ada.context.cookies()

    ada.sign_out()

    wait_for(
        "the end of requests of an open page",
        lambda: light.evaluate(ASK_STATUS, house.server("ada")) == 403,
        SIGNED_OUT_WITHIN_S,
    )
    for page, url in ((light, house.server("ada") + "lab"), (notes, house.notes)):
        page.goto(url)
        page.wait_for_url(re.compile(r"/hub/login"))

    thief = browser.new_context()
    thief.add_cookies(copied)  # type: ignore[arg-type]
    stolen = thief.new_page()
    stolen.goto(f"{house.origin}/hub/home")
    assert "/hub/login" in stolen.url
    thief.close()
