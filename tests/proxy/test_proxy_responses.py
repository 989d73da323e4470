"""What servers answer, over real sockets: nothing that two could read differently gets through."""

import pytest
from proxy_kit import CANNED, Rig, get, until

OK = b"HTTP/1.1 200 OK\r\n"
EVIL = b"HTTP/1.1 200 EVIL\r\nContent-Length: 4\r\n\r\nEVIL"
REFUSED = {
    "length and chunks": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": OK + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": OK + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": OK + b"Content-Length: -3\r\n\r\nabc",
    "no number": OK + b"Content-Length: 0x3\r\n\r\nabc",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks of HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "bare CR": OK + b"A: b\rContent-Length: 0\r\n\r\n",
    "NUL": OK + b"A: \0\r\nContent-Length: 0\r\n\r\n",
    "blank before colon": OK + b"Content-Length : 0\r\n\r\n",
    "no name": OK + b": x\r\n\r\n",
    "version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "chunk trailer": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 4\r\n\r\n",
    "large head": OK + b"A: " + b"x" * 70_000 + b"\r\n\r\n",
    "unasked switch": b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    + EVIL,
}
PASSED = {
    "empty body": OK + b"Content-Length: 0\r\n\r\n",
    "no body for 204": b"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\n",
    "no body for 304": b"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n",
    "body": OK + b"Content-Length: 2\r\n\r\nok",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "an interim answer": b"HTTP/1.1 103 Hints\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",
}


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers' answers, by number."""
    for number, data in enumerate([*REFUSED.values(), *PASSED.values()]):
        monkeypatch.setitem(CANNED, f"n{number}", (data, True))
        monkeypatch.setitem(CANNED, f"e{number}", (data + EVIL, True))


@pytest.mark.parametrize("name", REFUSED)
async def test_a_response_with_two_meanings_is_503(rig: Rig, name: str) -> None:
    client = await rig.connect()
    number = list(REFUSED).index(name)
    for _ in range(2):
        answer = await client.ask(get(b"/t/n%d" % number))
        assert answer.status == 503
        assert b"EVIL" not in answer.body
    await until(lambda: rig.server.open == 0, "its connections are closed")


@pytest.mark.parametrize("name", PASSED)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_what_follows_a_response_reaches_nobody(rig: Rig, name: str, version: bytes) -> None:
    number = len(REFUSED) + list(PASSED).index(name)
    for _ in range(3):
        client = await rig.connect()
        answer = await client.ask(get(b"/t/e%d" % number, b"Connection: keep-alive\r\n", version))
        assert answer.status in (200, 204, 304)
        assert b"EVIL" not in answer.body
        if answer.field(b"connection") == b"close":
            assert await client.ended() == b""
            client = await rig.connect()
        assert (await client.ask(get(b"/t/500", version=version))).status == 500
    assert rig.server.connections >= 3


async def test_a_head_with_a_body_is_not_believed(rig: Rig) -> None:
    client = await rig.connect()
    number = len(REFUSED) + list(PASSED).index("body")
    for _ in range(2):
        answer = await client.ask(get(b"/t/n%d" % number, method=b"HEAD"), b"HEAD")
        assert (answer.status, answer.body) == (200, b"")
    assert (await client.ask(get(b"/t/500"))).status == 500
