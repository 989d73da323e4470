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
from playwright.sync_api import Browser, Page, expect
from two_people import LIMIT_MS, SECRET, House, Person

from perijove.wire.requests import TokenRequest

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
    evil.wait_for_url(is_starting, timeout=LIMIT_MS)
    assert house.running("ada")


def skip_with_subdomains(house: House) -> None:
    """For what one host alone makes possible."""
    if house.subdomains:
        pytest.skip("the hub, people and services have hosts of their own")


def is_starting(url: str) -> bool:
    return "/user/ada/" in url or "/spawn-pending/" in url


GO_AS_ANOTHER = """([address, href, way]) => {
    history.replaceState(null, "", address);
    if (way === "link") {
        const link = Object.assign(document.createElement("a"), {href});
        document.body.append(link);
        link.click();
    } else if (way === "form") {
        const form = Object.assign(document.createElement("form"), {action: href});
        document.body.append(form);
        form.submit();
    } else if (way === "base") {
        const base = Object.assign(document.createElement("base"), {href: href + "/"});
        document.head.append(base);
        location = "../spawn";
    } else {
        location.replace(href);
    }
}"""


def test_it_cannot_do_so_as_a_page_of_the_hub_whose_address_it_shows(
    house: House, ada: Person, evil: Page
) -> None:
    """A page may show any path of its host as its own, and the Referer follows."""
    skip_with_subdomains(house)
    assert house.hub.client.stop_server("ada", wait_s=30)
    hub = f"{house.origin}/hub/"
    for address in ("/hub/home", "/hub/spawn", "/user/ada/lab", "/services/notes/"):
        for way in ("link", "form", "base", "replace"):
            evil.goto(f"{house.server('mallory')}evil")
            evil.evaluate(GO_AS_ANOTHER, [address, f"{hub}spawn", way])
            evil.locator("#confirm").wait_for(timeout=LIMIT_MS)
            assert not house.running("ada"), f"started by a {way} of {address}"
    evil.goto(f"{house.server('mallory')}evil")
    evil.evaluate("history.replaceState(null, '', '/hub/spawn')")
    forms = [{"method": "POST", "url": hub + path} for path in ("spawn", "api/users/ada/server")]
    evil.evaluate(WRITE, forms)
    for status, text in evil.evaluate(READ, [f"{hub}home", f"{hub}api/user"]):
        assert status != 200 or not text, text[:300]
    assert not house.running("ada")


def test_her_own_clicks_and_signing_in_start_her_server_at_once(
    house: House, browser: Browser
) -> None:
    if house.running("ada"):
        assert house.hub.client.stop_server("ada", wait_s=30)
    person = Person(house, browser, "ada")
    try:
        person.sign_in(following="")
        person.page.wait_for_url(is_starting, timeout=LIMIT_MS)
        assert house.running("ada")
        assert house.hub.client.stop_server("ada", wait_s=30)
        person.page.goto(f"{house.origin}/hub/home")
        person.page.click("#start")
        person.page.wait_for_url(is_starting, timeout=LIMIT_MS)
        assert "_xsrf" not in person.page.url
        assert house.running("ada")
    finally:
        person.context.close()


COOKIES_IN_FRAMES = """async (urls) => {
    const seen = {};
    for (const url of urls) {
        const frame = document.createElement("iframe");
        const loaded = new Promise(done => { frame.onload = done; setTimeout(done, 5000); });
        frame.src = url;
        document.body.append(frame);
        await loaded;
        try { seen[url] = frame.contentDocument.cookie; } catch { seen[url] = ""; }
        frame.remove();
    }
    return seen;
}"""


def test_it_reads_no_cookie_of_hers_through_a_frame_or_a_window(
    house: House, ada: Person, own: Page, evil: Page
) -> None:
    """Of whatever is answered at an address, a script that gets hold of it can read the cookies."""
    skip_with_subdomains(house)
    assert own.evaluate("document.cookie.includes('_xsrf')")
    hub, server, notes = f"{house.origin}/hub/", house.server("ada"), house.notes
    below_hub = ("logo", "health", "static/css/perijove.css", "none", "%zz", "x%2f..%2f", "api/")
    below_server = ("api", "api/me", "static/favicon.ico", "files/secret.txt", "%zz", "none", "lab")
    urls = [
        *(hub + path for path in (*below_hub, "error/503", "api/user", "x" * 40_000)),
        *(server + path for path in (*below_server, "lab/extensions/x", "terminals/x")),
        *(notes + path for path in ("", "none", "%zz", "oauth_callback")),
    ]
    for url, cookies in evil.evaluate(COOKIES_IN_FRAMES, urls).items():
        assert "_xsrf" not in cookies, url[:100]
    for url in urls:
        with ada.context.expect_page() as opened:
            evil.evaluate("url => { window.other = window.open(url) }", url)
        opened.value.wait_for_load_state("domcontentloaded")
        found = evil.evaluate(
            "() => { try { return window.other.document.cookie } catch { return '' } }"
        )
        assert "_xsrf" not in found, url[:100]
        opened.value.close()


TAKE_OVER = """([script, scope]) => navigator.serviceWorker.register(script, {scope})
    .then(found => found.scope, error => error.name)"""


def test_its_service_worker_answers_for_no_page_but_its_own(
    house: House, ada: Person, own: Page, evil: Page
) -> None:
    for script in ("/user/mallory/worker.js", "/user/mallory", "/user/mallory?x"):
        for scope in ("/", "/hub/", "/user/", "/user/ada/"):
            assert evil.evaluate(TAKE_OVER, [script, scope]) == "SecurityError", (script, scope)
    mine = evil.evaluate(TAKE_OVER, ["/user/mallory/worker.js", "/user/mallory/"])
    assert mine == house.server("mallory")
    evil.wait_for_function("() => navigator.serviceWorker.controller !== null")
    evil.goto(f"{house.server('mallory')}anything")
    expect(evil).to_have_title("Taken over")
    ada.page.goto(f"{house.origin}/hub/home")
    assert ada.page.evaluate("() => window.jhdata.user") == "ada"


def test_it_does_not_make_her_browser_forget_her_sign_in(
    house: House, ada: Person, evil: Page
) -> None:
    evil.goto(f"{house.server('mallory')}clear")
    ada.page.goto(f"{house.origin}/hub/home")
    assert ada.page.url.endswith("/hub/home")


def test_it_does_not_sign_her_out(house: House, ada: Person, evil: Page) -> None:
    evil.evaluate(EMBED_TO_START, [f"{house.origin}/hub/logout"])
    evil.evaluate("href => { location = href }", f"{house.origin}/hub/logout")
    expect(evil.get_by_text("Sign out?")).to_be_visible()
    ada.page.goto(f"{house.origin}/hub/home")
    assert ada.page.url.endswith("/hub/home")
    evil.locator("#confirm").click()
    evil.wait_for_url(lambda url: "/hub/login" in url)


SOCKETS = re.compile(r"/terminals/websocket/|/api/kernels/[^/]+/channels")

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


def test_it_opens_no_socket_to_her_server(house: House, ada: Person, own: Page, evil: Page) -> None:
    """On one domain a socket does not say which page opened it, so there a token is wanted."""
    server = house.server("ada")
    socket = f"{server}terminals/websocket/1".replace("http", "ws", 1)
    assert own.evaluate(OWN_WRITE, [f"{server}api/terminals", "POST", None]) == 200
    mine = socket if house.subdomains else f"{socket}?token={token_of(house)}"
    assert own.evaluate(OPEN_SOCKET, mine) == "open"
    assert evil.evaluate(OPEN_SOCKET, socket) == "refused"


def token_of(house: House) -> str:
    """A token that opens ada's server."""
    return house.hub.client.create_token(
        "ada", TokenRequest(scopes=["access:servers!user=ada"])
    ).token


def test_lab_works_where_sockets_need_a_token(house: House, ada: Person) -> None:
    skip_with_subdomains(house)
    page = ada.context.new_page()
    for card in ("Start a new terminal", "Python 3"):
        with page.expect_websocket(
            lambda ws: bool(SOCKETS.search(ws.url)), timeout=LIMIT_MS
        ) as opened:
            page.goto(f"{house.server('ada')}lab?reset", timeout=LIMIT_MS)
            page.locator(f".jp-LauncherCard[title^='{card}']").first.click(timeout=LIMIT_MS)
        opened.value.wait_for_event("framereceived", timeout=LIMIT_MS)
        assert "token=" in opened.value.url
    page.close()
