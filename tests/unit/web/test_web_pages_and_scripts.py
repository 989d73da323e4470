"""What a page of somebody else's server gets of the hub's pages, on one domain and on many."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from web_house import WebHouse
from web_requests import make_request

from perijove.routes.addresses import Addresses
from perijove.web.origin import sent_by_stranger

ONE = Addresses("/base/")
MANY = Addresses(
    "/base/",
    subdomain_host="https://hub.test",
    domain_hook=lambda name, domain, kind: f"{name}.{domain}",
)
HUB = "https://hub.test/base/hub/home"
OWN = "https://hub.test/base/user/ada/lab"
OTHER = "https://hub.test/base/user/mallory/page"
LOOKALIKE = "https://hub.test/base/user/ada2/page"
SERVICE = "https://hub.test/base/services/notes/"


def asked(site: str | None, referer: str | None, mode: str | None = "navigate") -> Request:
    headers = {"Host": "hub.test", "Sec-Fetch-Site": site, "Referer": referer}
    headers["Sec-Fetch-Mode"] = mode if site else None
    return make_request(headers={name: value for name, value in headers.items() if value})


@pytest.mark.parametrize(
    ("site", "referer", "stranger"),
    [
        (None, None, False),
        ("none", None, False),
        ("cross-site", HUB, True),
        ("same-origin", HUB, False),
        ("same-origin", OWN, False),
        ("same-origin", SERVICE, False),
        ("same-origin", OTHER, True),
        ("same-origin", LOOKALIKE, True),
        ("same-origin", None, True),
        ("same-origin", "http://[", True),
        (None, OTHER, True),
        (None, HUB, False),
        (None, "https://elsewhere.test/", True),
    ],
)
def test_who_sent_a_browser_on_one_domain(
    site: str | None, referer: str | None, stranger: bool
) -> None:
    assert sent_by_stranger(asked(site, referer), ONE, "ada") is stranger


@pytest.mark.parametrize(
    ("referer", "stranger"),
    [
        ("https://ada.hub.test/", False),
        ("https://mallory.hub.test/", True),
        ("https://ada.hub.test:444/", True),
        (None, True),
    ],
)
def test_who_sent_a_browser_with_a_domain_for_each(referer: str | None, stranger: bool) -> None:
    assert sent_by_stranger(asked("same-site", referer), MANY, "ada") is stranger
    assert sent_by_stranger(asked("same-site", referer), ONE, "ada")


@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin"])
def test_what_is_no_navigation_was_no_click(mode: str) -> None:
    assert sent_by_stranger(asked("same-origin", HUB, mode), ONE, "ada")


SCRIPT = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which ada is signed in."""
    house = await WebHouse.open(tmp_path)
    transport = httpx.ASGITransport(app=house.built.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        await client.get("/hub/login")
        form = {"username": "ada", "password": "x", "_xsrf": client.cookies["_xsrf"]}
        assert (await client.post("/hub/login", data=form)).status_code == 302
        yield client
    await house.close()


@pytest.mark.parametrize("page", ["/hub/home", "/hub/token", "/hub/spawn", "/hub/logout"])
async def test_a_script_gets_no_page_of_a_person_without_their_token_and_signs_nobody_out(
    person: httpx.AsyncClient, page: str
) -> None:
    refused = await person.get(page, headers=SCRIPT)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert '"ada"' not in refused.text
    assert (await person.get("/hub/home")).status_code == 200


async def test_a_persons_own_pages_may_fetch_the_others(person: httpx.AsyncClient) -> None:
    head = SCRIPT | {"X-XSRFToken": person.cookies["_xsrf"]}
    assert (await person.get("/hub/home", headers=head)).status_code == 200


async def test_nothing_of_a_person_stays_in_the_browsers_cache(person: httpx.AsyncClient) -> None:
    for path in ("/hub/home", "/hub/api/user"):
        reply = await person.get(path)
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    style = await person.get("/hub/static/css/perijove.css?v=1")
    assert "no-store" not in style.headers["cache-control"]


async def test_who_was_sent_by_a_page_of_another_person_is_asked_and_the_answer_counts(
    person: httpx.AsyncClient,
) -> None:
    sent = {
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Site": "same-origin",
        "Referer": "http://hub.test/user/mallory/page",
    }
    for path, question in (("/hub/spawn", "Start the server?"), ("/hub/logout", "Sign out?")):
        page = await person.get(path, headers=sent)
        assert (page.status_code, question in page.text) == (200, True)
    link = re.search(r'id="confirm" href="([^"]*)"', page.text)
    assert link is not None
    # A browser that hides where it comes from still gets through by the page's own link.
    del sent["Referer"]
    done = await person.get(unescape(link[1]), headers=sent)
    assert (done.status_code, done.headers["location"]) == (302, "/hub/login")
