"""The REST API: what the hub stores, sees and removes, and who may ask."""

import json
import re
import time
from typing import Any

import pytest
from proxy_kit import TOKEN, Rig, ScriptedServer, get, running_proxy, until

from perijove.proxy.rewrite import Rules

TARGET = "http://127.0.0.1:1"


async def add(rig: Rig, path: str, **data: Any) -> int:
    """Add a route through the API; returns the status."""
    body = json.dumps({"target": TARGET, **data}).encode()
    return (await rig.api("POST", f"/api/routes{path}", body)).status


async def routes(rig: Rig, query: str = "") -> dict[str, Any]:
    """All routes as the API lists them."""
    answer = await rig.api("GET", f"/api/routes{query}")
    assert answer.status == 200
    assert answer.field(b"content-type") == b"application/json"
    listed: dict[str, Any] = json.loads(answer.body)
    return listed


async def test_a_route_is_stored_listed_shown_and_deleted(rig: Rig) -> None:
    assert await add(rig, "/user/ada", user="ada", server_name="", jupyterhub=True) == 201
    shown = (await routes(rig))["/user/ada"]
    stamp = shown.pop("last_activity")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert shown == {"target": TARGET, "user": "ada", "server_name": "", "jupyterhub": True}
    one = await rig.api("GET", "/api/routes/user/ada")
    assert json.loads(one.body)["user"] == "ada"
    gone = await rig.api("DELETE", "/api/routes/user/ada")
    assert (gone.status, gone.body) == (204, b"")
    assert (await rig.api("GET", "/api/routes/user/ada")).status == 404
    assert (await rig.api("DELETE", "/api/routes/user/ada")).status == 404
    assert "/user/ada" not in await routes(rig)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("", "/"),
        ("/", "/"),
        ("/user/ada/", "/user/ada"),
        ("/user/two%20words", "/user/two words"),
        ("/user/d%C3%BC", "/user/dü"),
        ("/user/a@b.c", "/user/a@b.c"),
        ("/user/100%2525", "/user/100%25"),
    ],
)
async def test_keys_are_decoded_once_and_have_no_trailing_slash(
    rig: Rig, path: str, key: str
) -> None:
    assert await add(rig, path) == 201
    assert key in await routes(rig)
    assert (await rig.api("DELETE", f"/api/routes{path}")).status == 204


async def test_a_route_is_replaced_and_used_at_once(rig: Rig) -> None:
    rig.proxy.control.remove_route("/t")  # which would share the connections
    assert await add(rig, "/x") == 201
    assert (await rig.ask(get(b"/x/204"))).status == 503
    assert await add(rig, "/x", target=rig.server.url) == 201
    assert (await rig.ask(get(b"/x/204"))).status == 204
    assert (await routes(rig))["/x"]["target"] == rig.server.url
    assert await add(rig, "/x") == 201
    await until(lambda: rig.server.open == 0, "idle connection to the old target closed")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", b"Body not valid JSON"),
        (b"{", b"Body not valid JSON"),
        (b'{"target": NaN}', b"Body not valid JSON"),
        (b"[" * 100_000, b"Body not valid JSON"),
        (b"\xff", b"Body not valid JSON"),
        (b"{}", b"Must specify 'target' as string"),
        (b"[]", b"Must specify 'target' as string"),
        (b'"http://a"', b"Must specify 'target' as string"),
        (b'{"target": 1}', b"Must specify 'target' as string"),
        (b'{"target": ""}', b"Must specify 'target' as string"),
        (b'{"target": "nope"}', b"Target must be a URL"),
        (b'{"target": "http://"}', b"Target must name a host"),
    ],
)
async def test_what_is_no_route_is_refused_with_a_reason(
    rig: Rig, body: bytes, message: bytes
) -> None:
    answer = await rig.api("POST", "/api/routes/x", body)
    assert answer.status == 400
    assert answer.body.startswith(message)
    assert "/x" not in await routes(rig)


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN.upper()])
@pytest.mark.parametrize("path", ["/api/routes", "/api/routes/t", "/other"])
async def test_without_the_secret_nothing_is_told(rig: Rig, token: str | None, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await rig.api(method, path, b'{"target": "http://a"}', token=token)
        assert (answer.status, answer.body) == (403, b"")
    assert rig.proxy.plane.table.get("/t") is not None


@pytest.mark.parametrize("word", ["Token", "bearer", "TOKEN", ""])
async def test_the_word_before_the_secret_matters(rig: Rig, word: str) -> None:
    client = await rig.connect(rig.api_port)
    head = f"GET /api/routes HTTP/1.1\r\nHost: a\r\nAuthorization: {word} {TOKEN}\r\n\r\n"
    assert (await client.ask(head.encode())).status == 403


async def test_without_a_configured_secret_the_api_is_open(server: ScriptedServer) -> None:
    async with running_proxy(server, token="") as rig:
        assert (await rig.api("GET", "/api/routes", token=None)).status == 200
        assert (await rig.api("GET", "/api/routes", token="any")).status == 200


async def test_other_methods_and_paths_are_told_apart(rig: Rig) -> None:
    for path in ("/api/routes", "/api/routes/t"):
        answer = await rig.api("PUT", path)
        assert (answer.status, answer.body) == (405, b"Method not supported")
    for path in ("/", "/api", "/api/routesx", "/api/other"):
        assert (await rig.api("GET", path)).status == 404


async def test_head_is_get_without_body(rig: Rig) -> None:
    answer = await rig.api("HEAD", "/api/routes")
    assert answer.status == 200
    assert int(answer.field(b"content-length") or 0) > 10


async def test_inactive_routes_can_be_listed(rig: Rig) -> None:
    old, new = rig.proxy.plane.table.get("/t"), rig.proxy.plane.table.get("/down")
    assert old is not None
    assert new is not None
    old.last_activity_s = 1_700_000_000.0
    for name in ("inactiveSince", "inactive_since"):
        for moment in ("2023-11-14T22:13:21Z", "2023-11-14T22:13:21.000%2B00:00", "2024-01-01"):
            assert set(await routes(rig, f"?{name}={moment}")) == {"/t"}
    assert set(await routes(rig, "?inactiveSince=2023-11-14T22:13:20Z")) == set()
    answer = await rig.api("GET", "/api/routes?inactiveSince=yesterday")
    assert answer.status == 400
    assert answer.body == b"Invalid datestamp 'yesterday' must be ISO8601."


async def test_adding_a_route_is_activity_and_what_the_body_says_of_it_is_not(rig: Rig) -> None:
    assert await add(rig, "/x", last_activity="1999-01-01T00:00:00.000Z") == 201
    route = rig.proxy.plane.table.get("/x")
    assert route is not None
    assert abs(route.last_activity_s - time.time()) < 5
    assert not (await routes(rig))["/x"]["last_activity"].startswith("1999")


async def test_with_host_routing_the_host_is_added(server: ScriptedServer) -> None:
    async with running_proxy(server, rules=Rules(by_host=True), routes=("/x.test/t",)) as rig:
        shown = await routes(rig)
        assert shown["/x.test/t"]["host"] == "x.test"
        assert (await rig.ask(get(b"/t/204"))).status == 204
        assert (await rig.ask(get(b"/t/204").replace(b"x.test", b"y.test"))).status == 404


async def test_several_requests_pass_over_one_connection(rig: Rig) -> None:
    client = await rig.connect(rig.api_port)
    body = b'{"target": "http://a"}'
    for n in range(50):
        head = b"POST /api/routes/n/%d HTTP/1.1\r\nHost: a\r\nAuthorization: token %s\r\n" % (
            n,
            TOKEN.encode(),
        )
        await client.send(head + b"Content-Length: %d\r\n\r\n" % len(body), body)
        assert (await client.answer()).status == 201
    assert len(await routes(rig)) == 52


async def test_bodies_in_chunks_and_expectations_are_understood(rig: Rig) -> None:
    client = await rig.connect(rig.api_port)
    await client.send(
        b"POST /api/routes/x HTTP/1.1\r\nHost: a\r\nAuthorization: token a-secret\r\n"
        b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert (await client.answer(interim=True)).status == 100
    await client.send(b'5\r\n{"tar', b'\r\n11\r\nget": "http://a"}\r\n0\r\n', b"\r\n")
    assert (await client.answer()).status == 201


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /api/routes/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", 413),
        (b"GET /api/routes HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/routes HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /api/routes HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (
            b"POST /api/routes/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
            400,
        ),
    ],
)
async def test_the_api_refuses_what_the_public_port_refuses(
    rig: Rig, data: bytes, status: int
) -> None:
    client = await rig.connect(rig.api_port)
    await client.send(data)
    assert (await client.answer()).status == status
    assert await client.ended() in (b"", b"<reset>")


@pytest.mark.parametrize("path", ["/api/routes/%ff", "/api/routes/a%ffb"])
async def test_keys_must_be_utf8(rig: Rig, path: str) -> None:
    assert (await rig.api("POST", path, b'{"target": "http://a"}')).status == 400


async def test_requests_are_logged_without_query_or_secret(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "perijove.proxy"):
        await rig.api("GET", "/api/routes?inactiveSince=2024-01-01")
        await rig.api("POST", "/api/routes/" + "x" * 1000, b'{"target": "http://a"}')
        await rig.api("DELETE", "/api/routes/a%0Ab")
    lines = [record.getMessage() for record in caplog.records]
    assert "200 GET /api/routes" in lines
    assert "404 DELETE /api/routes/a%0Ab" in lines
    assert max(len(line) for line in lines) < 500
    assert not any(TOKEN in line or "\n" in line for line in lines)


async def test_requests_are_counted(rig: Rig) -> None:
    metrics = rig.proxy.plane.metrics
    added = metrics.route_add
    await add(rig, "/x")
    await routes(rig)
    await rig.api("DELETE", "/api/routes/x")
    await rig.ask(get(b"/t/204"))
    assert (metrics.route_add - added, metrics.route_get, metrics.route_delete) == (1, 1, 1)
    assert metrics.requests_api == {201: 1, 200: 1, 204: 1}
    assert metrics.requests_proxy[204] == 1
    assert metrics.requests_web == 1
