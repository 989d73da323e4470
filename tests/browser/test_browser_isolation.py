"""A page that mallory's server shows to ada can do nothing as ada, at her server or at the hub.

Ada is signed in and has pages of her own server and of a service open, so her
browser has all cookies. Mallory has shared her server with ada and her page tries
what a page can try. Each attempt is also made from a page that may do it, so that
a refusal is not an accident of the attempt. What cookies' paths cannot keep apart
on one domain (docs/explanation/security.md) is tried with subdomains only.
"""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from two_people import LIMIT_MS, SECRET, House, Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READ = """async (urls) => {
    const seen = [];
    const ways = [
        url => fetch(url),
        url => fetch(url, {credentials: "include"}),
        url => fetch(url, {mode: "no-cors", credentials: "include"}),
        url => fetch(url, {mode: "no-cors", referrerPolicy: "no-referrer"}),
        url => fetch(url, {mode: "no-cors", referrer: "/user/ada/lab"}),
        url => fetch(url, {mode: "same-origin"}),
        url => fetch(url, {cache: "force-cache"}),
        url => fetch(url, {cache: "force-cache", mode: "no-cors", credentials: "include"}),
        url => fetch(url, {cache: "only-if-cached", mode: "same-origin"}),
        url => fetch(url, {headers: {"X-XSRFToken": "guess"}, credentials: "include"}),
        url => fetch(url, {headers: {"Accept": "text/html"}, credentials: "include"}),
    ];
    for (const url of urls) {
        for (const way of ways) {
            try {
                const reply = await way(url);
                seen.push([reply.status, await reply.text()]);
            } catch (error) { seen.push([0, String(error)]); }
        }
        seen.push(await new Promise(done => {
            const request = new XMLHttpRequest();
            request.onloadend = () => done([request.status, request.responseText]);
            request.open("GET", url);
            request.withCredentials = true;
            request.send();
        }));
    }
    return seen;
}"""

WRITE = """async (attempts) => {
    const ways = [
        (a, o) => fetch(a.url, {...o, credentials: "include"}),
        (a, o) => fetch(a.url, {...o, mode: "no-cors", credentials: "include"}),
        (a, o) => fetch(a.url + "?_xsrf=guess", {...o, credentials: "include"}),
        (a, o) => fetch(a.url, {...o, headers: {"X-XSRFToken": "guess"}, credentials: "include"}),
        (a, o) => Promise.resolve(navigator.sendBeacon(a.url, a.body || "")),
    ];
    for (const attempt of attempts) {
        for (const type of [null, "text/plain", "application/json"]) {
            const headers = type ? {"Content-Type": type} : {};
            const body = attempt.body || undefined;
            const options = {method: attempt.method, headers, body};
            for (const way of ways) {
                try { await way(attempt, options); } catch { /* refused by the browser */ }
            }
        }
        if (attempt.method === "POST") {
            await new Promise(done => {
                const frame = document.createElement("iframe");
                frame.name = "target" + Math.random();
                frame.onload = done;
                document.body.append(frame);
                const form = document.createElement("form");
                form.method = "post";
                form.enctype = "text/plain";
                form.action = attempt.url;
                form.target = frame.name;
                const field = document.createElement("input");
                field.name = attempt.body || "x";
                form.append(field);
                document.body.append(form);
                form.submit();
                setTimeout(done, 3000);
            });
        }
    }
}"""

OWN_WRITE = """async ([url, method, body]) => {
    const proof = document.cookie.match(/_xsrf=([^;]+)/)[1];
    const reply = await fetch(url, {method, body, headers: {"X-XSRFToken": proof}});
    return reply.status;
}"""

OWN_READ = """async (url) => {
    const texts = [];
    for (const [, proof] of document.cookie.matchAll(/_xsrf=([^;]+)/g)) {
        texts.push(await (await fetch(url, {headers: {"X-XSRFToken": proof}})).text());
    }
    return texts;
}"""

EMBED = """async (urls) => {
    const seen = [];
    for (const url of urls) {
        const frame = document.createElement("iframe");
        const loaded = new Promise(done => { frame.onload = done; setTimeout(done, 5000); });
        frame.src = url;
        document.body.append(frame);
        await loaded;
        let text = "";
        try { text = frame.contentDocument.documentElement.outerHTML; } catch (error) { text = ""; }
        seen.push(text);
    }
    return seen;
}"""

EMBED_TO_START = """async (urls) => {
    for (const url of urls) {
        for (const make of [
            () => Object.assign(new Image(), {src: url}),
            () => Object.assign(new Image(), {src: url, referrerPolicy: "no-referrer"}),
            () => Object.assign(document.createElement("iframe"), {src: url}),
            () => Object.assign(document.createElement("script"), {src: url}),
            () => Object.assign(document.createElement("link"), {rel: "stylesheet", href: url}),
        ]) {
            const element = make();
            const ended = new Promise(done => {
                element.onload = element.onerror = done;
                setTimeout(done, 3000);
            });
            document.body.append(element);
            await ended;
        }
        for (const mode of ["cors", "no-cors", "same-origin"]) {
            try { await fetch(url, {mode, credentials: "include"}); } catch { /* refused */ }
        }
    }
}"""


@pytest.fixture
def own(house: House, ada: Person) -> Page:
    """A page of ada's own server, for attempts that must succeed."""
    return ada.open(f"{house.server('ada')}login?next=/user/ada/no-such-page")


@pytest.fixture
def evil(house: House, ada: Person, mallory: Person, own: Page) -> Page:
    """Mallory's page in ada's browser, where ada's cookies are."""
    house.share("mallory", "ada")
    expect(ada.open(house.notes).locator("h1")).to_have_text("Notes of ada")
    page = ada.open(f"{house.server('mallory')}evil")
    expect(page).to_have_title("Have a look")
    return page


def test_it_reads_nothing_of_hers(house: House, own: Page, evil: Page) -> None:
    server, hub, notes = house.server("ada"), f"{house.origin}/hub/", house.notes
    assert SECRET in str(own.evaluate(OWN_READ, f"{server}api/contents/secret.txt"))
    urls = [
        f"{server}api/contents/secret.txt",
        f"{server}files/secret.txt",
        f"{server}lab",
        f"{server}api/me",
        f"{hub}api/user",
        f"{hub}api/users/ada",
        f"{hub}api/users/ada/tokens",
        f"{hub}home",
        f"{hub}token",
        f"{notes}api/note",
        notes,
    ]
    # What a frame has loaded, even without showing it, may lie in the browser's cache.
    evil.evaluate(EMBED, urls)
    for status, text in evil.evaluate(READ, urls):
        assert SECRET not in text
        assert '"name": "ada"' not in text
        assert '"name":"ada"' not in text
        assert not re.search(r'xsrf_token": "[^"]', text)
        assert "Notes of ada" not in text
        assert status != 200 or not text, (status, text[:300])


def test_it_shows_none_of_her_pages_in_a_frame(house: House, own: Page, evil: Page) -> None:
    urls = [f"{house.server('ada')}lab", f"{house.origin}/hub/home", f"{house.origin}/hub/token"]
    for text in evil.evaluate(EMBED, urls):
        assert "jupyter" not in text.lower()
        assert "xsrf" not in text.lower()


def test_it_changes_nothing_of_hers(house: House, own: Page, evil: Page) -> None:
    server, hub = house.server("ada"), f"{house.origin}/hub/"
    planted = '{"type": "file", "format": "text", "content": "planted"}'
    assert own.evaluate(OWN_WRITE, [f"{server}api/contents/own.txt", "PUT", planted]) == 201
    home = house.hub.directory / "home" / "ada"
    assert (home / "own.txt").read_text() == "planted"
    (home / "own.txt").unlink()
    files = sorted(path.name for path in home.iterdir())
    tokens = {token.id for token in house.hub.client.tokens("ada")}

    attempts: list[dict[str, Any]] = [
        {"method": "PUT", "url": f"{server}api/contents/planted.txt", "body": planted},
        {"method": "POST", "url": f"{server}api/contents", "body": '{"type": "file"}'},
        {"method": "POST", "url": f"{server}api/terminals"},
        {"method": "POST", "url": f"{server}api/shutdown"},
        {"method": "DELETE", "url": f"{server}api/contents/secret.txt"},
        {"method": "POST", "url": f"{hub}api/users/ada/tokens", "body": '{"note": "planted"}'},
        {"method": "DELETE", "url": f"{hub}api/users/ada/server"},
        {"method": "POST", "url": f"{hub}api/shares/ada/", "body": '{"user": "mallory"}'},
        {"method": "POST", "url": f"{hub}api/share-codes/ada/", "body": "{}"},
        {"method": "POST", "url": f"{house.notes}note", "body": "text=planted"},
    ]
    evil.evaluate(WRITE, attempts)

    assert sorted(path.name for path in home.iterdir()) == files
    assert {token.id for token in house.hub.client.tokens("ada")} == tokens
    assert list(house.hub.client.server_shares("ada", "")) == []
    assert list(house.hub.client.server_share_codes("ada", "")) == []
    assert house.running("ada")
    assert "[]" in str(own.evaluate(OWN_READ, f"{server}api/terminals"))


def test_it_does_not_start_her_server_without_a_click_of_hers(
    house: House, ada: Person, evil: Page
) -> None:
    assert house.hub.client.stop_server("ada", wait_s=30)
    hub = f"{house.origin}/hub/"
    links = [f"{hub}spawn", f"{hub}spawn/ada", hub, f"{house.origin}/", f"{hub}user-redirect/x"]
    evil.evaluate(EMBED_TO_START, links)
    evil.evaluate(WRITE, [{"method": "POST", "url": f"{hub}spawn"}])
    evil.evaluate(WRITE, [{"method": "POST", "url": f"{hub}api/users/ada/server"}])
    assert not house.running("ada")

    for policy in ("", "no-referrer", "origin", "unsafe-url"):
        for link in links:
            evil.goto(f"{house.server('mallory')}evil")
            evil.evaluate(
                """([href, referrerPolicy]) => {
                    const link = Object.assign(document.createElement("a"), {href, referrerPolicy});
                    document.body.append(link);
                    link.click();
                }""",
                [link, policy],
            )
            evil.wait_for_url(lambda url: "/evil" not in url, timeout=LIMIT_MS)
            evil.wait_for_load_state()
            assert not house.running("ada"), f"{link} started the server ({policy})"

    evil.goto(f"{house.server('mallory')}evil")
    evil.evaluate("href => { location = href }", f"{hub}spawn")
    evil.locator("#confirm").click()
    evil.wait_for_url(lambda url: "/user/ada/" in url or "/spawn-pending/" in url, timeout=LIMIT_MS)
    assert house.running("ada")


def test_a_link_of_hers_on_the_hubs_pages_starts_her_server_at_once(
    house: House, ada: Person
) -> None:
    assert house.hub.client.stop_server("ada", wait_s=30)
    ada.page.goto(f"{house.origin}/hub/home")
    ada.page.evaluate("href => { location = href }", f"{house.origin}/hub/spawn")
    ada.page.wait_for_url(
        lambda url: "/user/ada/" in url or "/spawn-pending/" in url, timeout=LIMIT_MS
    )
    assert house.running("ada")


def test_it_does_not_sign_her_out(house: House, ada: Person, evil: Page) -> None:
    evil.evaluate(EMBED_TO_START, [f"{house.origin}/hub/logout"])
    evil.evaluate("href => { location = href }", f"{house.origin}/hub/logout")
    expect(evil.get_by_text("Sign out?")).to_be_visible()
    ada.page.goto(f"{house.origin}/hub/home")
    assert ada.page.url.endswith("/hub/home")
    evil.locator("#confirm").click()
    evil.wait_for_url(lambda url: "/hub/login" in url)


OPEN_SOCKET = """(url) => new Promise(done => {
    const socket = new WebSocket(url);
    socket.onopen = () => { socket.close(); done("open"); };
    socket.onerror = () => done("refused");
})"""

WINDOW_TEXT = """() => {
    try { return window.other.document.documentElement.outerHTML } catch { return "" }
}"""

PLANT = """(domain) => {
    const names = ["jupyterhub-session-id", "_xsrf", "jupyterhub-user-ada", "jupyterhub-hub-login"];
    for (const name of names) {
        for (const path of ["/", "/hub", "/hub/", "/hub/home", "/user/ada/", "/user/ada/api"]) {
            document.cookie = `${name}=planted; path=${path}${domain}`;
        }
    }
}"""


def test_it_gets_no_hold_of_a_window_with_a_page_of_hers(
    house: House, ada: Person, own: Page, evil: Page
) -> None:
    urls = [f"{house.origin}/hub/token", f"{house.server('ada')}login?next=/user/ada/no-such-page"]
    for url in urls:
        with ada.context.expect_page() as opened:
            evil.evaluate("url => { window.other = window.open(url) }", url)
        opened.value.wait_for_load_state("domcontentloaded")
        assert "jupyter" in opened.value.content().lower()
        assert evil.evaluate(WINDOW_TEXT) == ""
        opened.value.close()
    with ada.context.expect_page() as opened:
        evil.evaluate("() => { window.other = window.open('evil') }")
    opened.value.wait_for_load_state("domcontentloaded")
    assert "Have a look" in evil.evaluate(WINDOW_TEXT)


def test_cookies_that_it_plants_neither_stop_her_nor_make_her_somebody_else(
    house: House, ada: Person, own: Page, evil: Page
) -> None:
    evil.evaluate('history.replaceState(null, "", "/user/ada/lab")')
    assert "jupyterhub" not in str(evil.evaluate("() => document.cookie"))
    evil.evaluate(PLANT, "; domain=hub.localhost" if house.subdomains else "")
    assert evil.evaluate("() => document.cookie.includes('planted')")

    ada.page.goto(f"{house.origin}/hub/home")
    assert ada.page.url.endswith("/hub/home")
    assert ada.page.evaluate("() => window.jhdata.user") == "ada"
    page = ada.open(f"{house.server('ada')}login?next=/user/ada/no-such-page")
    assert SECRET in str(page.evaluate(OWN_READ, f"{house.server('ada')}api/contents/secret.txt"))


def test_with_subdomains_it_opens_no_socket_to_her_server(
    house: House, own: Page, evil: Page
) -> None:
    if not house.subdomains:
        pytest.skip("on one domain a socket does not say which page opened it")
    server = house.server("ada")
    socket = f"{server}terminals/websocket/1".replace("http", "ws", 1)
    assert own.evaluate(OWN_WRITE, [f"{server}api/terminals", "POST", None]) == 200
    assert own.evaluate(OPEN_SOCKET, socket) == "open"
    assert evil.evaluate(OPEN_SOCKET, socket) == "refused"
