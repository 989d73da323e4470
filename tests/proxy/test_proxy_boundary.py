"""A server below a prefix speaks for its prefix, not for its neighbours on the same host."""

from pathlib import Path

import pytest
from proxy_kit import CANNED, Rig, ScriptedServer, get, running_proxy
from proxy_tls import Authority
from test_proxy_http2 import browse

from perijove.proxy.boundary import is_bare, narrowed, own_prefix
from perijove.proxy.rewrite import Rules
from perijove.proxy.targets import parse_target

CLAIMS = {
    b"alt-svc": b'h3="evil.test:443"; ma=86400',
    b"clear-site-data": b'"cookies", "storage"',
    b"nel": b'{"report_to":"all","max_age":86400,"success_fraction":1.0}',
    b"report-to": b'{"group":"all","max_age":86400,"endpoints":[{"url":"https://evil.test/"}]}',
    b"strict-transport-security": b"max-age=0",
    b"x-accel-redirect": b"/hub/home",
}
OWN = {
    b"access-control-allow-origin": b"*",
    b"origin-agent-cluster": b"?0",
    b"reporting-endpoints": b'main="https://own.test/"',
    b"set-cookie": b"a=b; Path=/",
    b"x-accel-buffering": b"no",
}


def answer_with(fields: dict[bytes, bytes], status: bytes = b"200 OK") -> bytes:
    lines = b"".join(b"%s: %s\r\n" % (name.title(), value) for name, value in fields.items())
    return b"HTTP/1.1 %s\r\n%sContent-Length: 2\r\n\r\nok" % (status, lines)


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What servers answer."""
    monkeypatch.setitem(CANNED, "claims", (answer_with(CLAIMS | OWN), True))
    hints = answer_with(CLAIMS, b"103 Early Hints").replace(b"Content-Length: 2\r\n\r\nok", b"\r\n")
    monkeypatch.setitem(CANNED, "hints", (hints + answer_with(OWN), True))
    switch = {b"connection": b"Upgrade", b"upgrade": b"websocket", **CLAIMS, **OWN}
    head = answer_with(switch, b"101 Ok").replace(b"Content-Length: 2\r\n\r\nok", b"\r\n")
    monkeypatch.setitem(CANNED, "switch", (head, True))
    for word, scope in {"wide": b"/", "inside": b"/t/app/", "beside": b"/t-2/"}.items():
        canned = answer_with({b"service-worker-allowed": scope})
        monkeypatch.setitem(CANNED, word, (canned, True))


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_server_below_a_prefix_cannot_speak_for_the_origin(
    rig: Rig, version: bytes
) -> None:
    client = await rig.connect()
    answer = await client.ask(get(b"/t/claims", version=version))
    assert answer.body == b"ok"
    assert {name: answer.field(name) for name in CLAIMS} == dict.fromkeys(CLAIMS)
    assert {name: answer.field(name) for name in OWN} == OWN


async def test_neither_in_early_hints_nor_when_it_switches_protocols(rig: Rig) -> None:
    client = await rig.connect()
    await client.send(get(b"/t/hints"))
    hints = await client.answer(interim=True)
    assert hints.status == 103
    wish = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    other = await rig.connect()
    await other.send(get(b"/t/switch", wish))
    switched = await other.answer(interim=True)
    assert switched.status == 101
    for answer in (hints, switched):
        assert {name: answer.field(name) for name in CLAIMS} == dict.fromkeys(CLAIMS)
    assert {name: switched.field(name) for name in OWN} == OWN


async def test_a_server_with_the_host_to_itself_speaks_for_it(server: ScriptedServer) -> None:
    async with running_proxy(server, routes=("/",)) as rig:
        answer = await rig.ask(get(b"/claims"))
        assert {name: answer.field(name) for name in CLAIMS} == CLAIMS
        assert (await rig.ask(get(b"/wide"))).field(b"service-worker-allowed") == b"/"
        assert (await rig.ask(get(b"/x"))).field(b"service-worker-allowed") is None


async def test_the_hub_speaks_for_the_host_below_a_base_url_too(server: ScriptedServer) -> None:
    async with running_proxy(server, routes=()) as rig:
        rig.route("/base", hub=True)
        answer = await rig.ask(get(b"/base/claims"))
        assert {name: answer.field(name) for name in CLAIMS} == CLAIMS


async def test_with_routes_by_host_the_path_below_it_counts(server: ScriptedServer) -> None:
    routes = ("/x.test", "/y.test/t")
    async with running_proxy(server, routes=routes, rules=Rules(by_host=True)) as rig:
        answer = await rig.ask(get(b"/claims"))
        assert {name: answer.field(name) for name in CLAIMS} == CLAIMS
        assert (await rig.ask(get(b"/wide"))).field(b"service-worker-allowed") == b"/"
        other = get(b"/t/wide").replace(b"x.test", b"y.test")
        assert (await rig.ask(other)).field(b"service-worker-allowed") == b"/t/"


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        (b"/t/wide", b"/t/"),
        (b"/t/a/wide?x=/", b"/t/"),
        (b"/%74/wide", b"/%74/"),
        (b"/t/inside", b"/t/app/"),
        (b"/t/beside", b"/t/"),
        (b"/t/echo", None),
        (b"/t/", None),
        # The directory of these is the one that the neighbours share.
        (b"/t", b"/t/"),
        (b"/t?x=/y", b"/t/"),
        (b"/%74", b"/%74/"),
    ],
)
async def test_service_workers_stay_below_the_prefix_of_their_server(
    rig: Rig, path: bytes, scope: bytes | None
) -> None:
    answer = await rig.ask(get(path))
    assert answer.status == 200
    assert answer.field(b"service-worker-allowed") == scope
    assert answer.head.lower().count(b"service-worker-allowed") == (scope is not None)


async def test_it_is_the_same_on_http2(server: ScriptedServer, authority: Authority) -> None:
    async with running_proxy(server, tls=authority.pair, http2=True) as rig:
        browser = await browse(rig, authority)
        head = (await browser.ask(b"/t/claims")).heads[-1]
        assert not head.keys() & CLAIMS.keys()
        assert {name: head.get(name) for name in OWN} == OWN
        for path in (b"/t/wide", b"/t"):
            head = (await browser.ask(path)).heads[-1]
            assert head[b"service-worker-allowed"] == b"/t/"


@pytest.mark.parametrize(
    "scope",
    [
        b"/", b"", b".", b"..", b"/t", b"/tt/", b"t/", b"//evil.test/t/", b"\\t\\",
        b"/t/../", b"/t/..", b"/t/./../", b"/t/%2e%2E/", b"/t/.%2e/", b"/t/%2E./x", b"/t/a/../../",
        b"/t/\\..\\", b"/t/a\\b", b"/t/\t../", b"/t/a b", b"/t/?/..", b"/t/#", b"/t/\xff",
        b"http://x.test/", b"https://x.test/t/", b"/T/",
    ],
)  # fmt: skip
def test_a_scope_that_may_lead_out_becomes_the_prefix(scope: bytes) -> None:
    assert narrowed(scope, b"/t/") == b"/t/"


@pytest.mark.parametrize("scope", [b"/t/", b"/t/a", b"/t/a/b/", b"/t/a.b/c@d/%C3%BC/~e"])
def test_a_scope_within_is_kept(scope: bytes) -> None:
    assert narrowed(scope, b"/t/") == scope


def test_the_prefix_is_spelt_as_the_request_has_it() -> None:
    assert own_prefix(b"/user/ada/lab", 2) == b"/user/ada/"
    assert own_prefix(b"/user/ada", 2) == b"/user/ada/"
    assert own_prefix(b"/user/%61da/lab", 2) == b"/user/%61da/"
    assert own_prefix(b"/anything", 0) == b""
    assert is_bare(b"/user/ada", 2)
    assert not is_bare(b"/user/ada/", 2)
    assert not is_bare(b"/", 0)


REFUSED = {
    "no such route": get(b"/none/x"),
    "nobody answers": get(b"/down/x"),
    "a bad escape": get(b"/t/%zz"),
    "dot segments": get(b"/t/%2e%2e/x"),
    "a long address": get(b"/t/" + b"x" * 33_000),
    "a large head": get(b"/t/x", b"A: " + b"x" * 70_000 + b"\r\n"),
    "a broken answer": get(b"/t/garbage"),
}


def holds_nothing_for_neighbours(policy: bytes | None, opener: bytes | None) -> None:
    assert b"frame-ancestors 'none'" in (policy or b"")
    assert opener == b"noopener-allow-popups"


@pytest.mark.parametrize("name", REFUSED)
async def test_a_neighbour_gets_no_hold_of_an_answer_of_our_own(rig: Rig, name: str) -> None:
    """Scripts that reach into it could read the cookies of its address."""
    answer = await rig.ask(REFUSED[name])
    assert answer.status >= 400
    holds_nothing_for_neighbours(
        answer.field(b"content-security-policy"), answer.field(b"cross-origin-opener-policy")
    )


async def test_nor_of_pages_of_the_operator_or_of_an_error_target(
    server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "error.html").write_text("<h1>Oh</h1>")
    async with running_proxy(server, error_path=tmp_path) as rig:
        answer = await rig.ask(get(b"/down/x"))
        assert answer.body == b"<h1>Oh</h1>"
        holds_nothing_for_neighbours(
            answer.field(b"content-security-policy"), answer.field(b"cross-origin-opener-policy")
        )
    async with running_proxy(server, error_target=parse_target(f"{server.url}/errors")) as rig:
        answer = await rig.ask(get(b"/down/x"))
        assert b"GET /errors/503" in answer.body
        holds_nothing_for_neighbours(
            answer.field(b"content-security-policy"), answer.field(b"cross-origin-opener-policy")
        )
