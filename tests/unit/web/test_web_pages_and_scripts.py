"""What a page of somebody else's server gets of the hub's pages, on one domain and on many."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from web_house import WebHouse

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


# -- what may start a server ----------------------------------------------

NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize(
    "page", ["/hub/home", "/hub/", "/user/ada/lab", "/services/notes/", "/hub/spawn"]
)
async def test_a_page_that_shows_the_hubs_address_as_its_own_starts_nothing(
    person: httpx.AsyncClient, page: str
) -> None:
    sent = NAVIGATES | {"Referer": f"http://hub.test{page}"}
    for path in ("/hub/spawn", "/hub/spawn/ada", "/hub/spawn?x=1", "/hub/spawn?_xsrf=guess"):
        reply = await person.get(path, headers=sent)
        assert (reply.status_code, "Start the server?" in reply.text) == (200, True)


async def test_the_proof_of_somebody_else_is_none(person: httpx.AsyncClient) -> None:
    mine = person.cookies["_xsrf"]
    for proof in (mine[:-1], mine.upper(), "", "None"):
        reply = await person.get("/hub/spawn", params={"_xsrf": proof}, headers=NAVIGATES)
        assert "Start the server?" in reply.text
    started = await person.get("/hub/spawn", params={"_xsrf": mine}, headers=NAVIGATES)
    assert "Start the server?" not in started.text


async def test_who_types_the_address_or_runs_a_program_is_not_asked(
    person: httpx.AsyncClient,
) -> None:
    for headers in ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, {}):
        reply = await person.get("/hub/spawn", headers=headers)
        assert "Start the server?" not in reply.text


async def test_signing_in_leads_on_to_the_start_with_a_proof(tmp_path: Path) -> None:
    house = await WebHouse.open(tmp_path)
    transport = httpx.ASGITransport(app=house.built.application)
    for following in ("", "/hub/", "/hub/user-redirect/lab?a=%2F&b"):
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
            await client.get("/hub/login")
            form = {"username": "eve.b@x.org", "password": "x", "_xsrf": client.cookies["_xsrf"]}
            where, query = "/hub/login", {"next": following} if following else {}
            reply = await client.post(where, params=query, data=form, headers=NAVIGATES)
            seen = [reply.headers["location"]]
            while seen[-1].startswith(("/hub/?", "/hub/user-redirect/")):
                reply = await client.get(seen[-1], headers=NAVIGATES)
                seen.append(reply.headers["location"])
            proof = client.cookies["_xsrf"]
            assert all(parse_qs(urlsplit(url).query)["_xsrf"] == [proof] for url in seen), seen
            reply = await client.get(seen[-1], headers=NAVIGATES)
            assert "Start the server?" not in reply.text
            assert reply.headers["referrer-policy"] == "strict-origin"
            if following.endswith("&b"):
                target = parse_qs(urlsplit(seen[-1]).query)["next"]
                assert target == ["/user/eve.b@x.org/lab?a=%2F&b"]
    await house.close()


@pytest.mark.parametrize(
    "following",
    [
        "/hub/home",
        "/hub/spawn/../../user/mallory/x",
        "/hub/spawn/%2e%2e/%2E%2E/user/mallory/x",
        "/hub/user-redirect/../../../user/mallory/x",
        "/hub/spawn-elsewhere",
        "/user/mallory/hub/spawn",
        "/services/notes/",
        "/hub/spawn#here",
    ],
)
async def test_the_proof_goes_to_nobody_else(tmp_path: Path, following: str) -> None:
    house = await WebHouse.open(tmp_path)
    transport = httpx.ASGITransport(app=house.built.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        await client.get("/hub/login")
        form = {"username": "eve", "password": "x", "_xsrf": client.cookies["_xsrf"]}
        query = {"next": following}
        reply = await client.post("/hub/login", params=query, data=form, headers=NAVIGATES)
        assert "_xsrf" not in reply.headers["location"]
    await house.close()


async def test_programs_are_sent_on_without_it(tmp_path: Path) -> None:
    house = await WebHouse.open(tmp_path)
    transport = httpx.ASGITransport(app=house.built.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        await client.get("/hub/login")
        form = {"username": "eve", "password": "x", "_xsrf": client.cookies["_xsrf"]}
        reply = await client.post("/hub/login", data=form)
        assert reply.headers["location"] == "/hub/spawn"
    await house.close()
