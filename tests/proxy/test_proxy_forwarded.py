"""Whose word is believed about the client, and what servers are told."""

import pytest
from proxy_kit import Answer, Rig, ScriptedServer, get, running_proxy
from test_proxy_rewrite import PLAIN, XFF, sent

from perijove.proxy.forwarded import Networks
from perijove.proxy.rewrite import Rules

CLAIMED = (
    b"X-Forwarded-For: 9.9.9.9\r\nX-FORWARDED-Proto: https\r\nX-Forwarded-Port: 443\r\n"
    b"X-Forwarded-Host: evil\r\nForwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\nX-Scheme: https\r\n"
)


@pytest.mark.parametrize(
    ("text", "ip", "believed"),
    [
        ("private", b"127.0.0.1", True),
        ("private", b"10.1.2.3", True),
        ("private", b"fd00::1", True),
        ("private", b"8.8.8.8", False),
        ("private", b"2001:4860::1", False),
        ("private", b"unknown", True),
        ("none", b"127.0.0.1", False),
        ("none", b"unknown", False),
        ("all", b"8.8.8.8", True),
        ("8.8.0.0/16, ::1", b"8.8.8.8", True),
        ("8.8.0.0/16, ::1", b"127.0.0.1", False),
        ("8.8.0.0/16, ::1", b"unknown", True),
    ],
)
def test_networks_are_listed_by_address_prefix_or_word(
    text: str, ip: bytes, believed: bool
) -> None:
    assert (ip in Networks(text)) is believed


def test_what_is_no_network_is_refused() -> None:
    for text in ("everybody", "10.0.0.1/8", "10.0.0.0/99"):
        with pytest.raises(ValueError, match=text.split("/")[0]):
            Networks(text)


def test_a_stranger_cannot_claim_to_be_another() -> None:
    assert sent(PLAIN + CLAIMED + b"\r\n", trusted="none") == PLAIN + XFF
    assert sent(PLAIN + CLAIMED + b"\r\n", trusted="none", x_forward=False) == PLAIN + b"\r\n"


def test_a_trusted_proxys_words_are_added_to() -> None:
    out = sent(PLAIN + CLAIMED + b"\r\n")
    assert b'Forwarded: for=9.9.9.9,for=1.2.3.4;host="x";proto=http\r\n' in out
    assert b"X-Real-IP: 9.9.9.9\r\nX-Scheme: https\r\n" in out


def test_forwarded_does_not_contradict_a_proxy_that_does_not_write_it() -> None:
    for line in (b"X-Forwarded-Proto: https\r\n", b"X-Scheme: https\r\n"):
        assert b"\r\nForwarded:" not in sent(PLAIN + line + b"\r\n")


def test_addresses_of_ipv6_are_quoted() -> None:
    out = sent(PLAIN + b"\r\n", ip=b"2001:db8::1", secure=True)
    assert b'Forwarded: for="[2001:db8::1]";host="x";proto=https\r\n' in out


@pytest.mark.parametrize("trusted", ["private", "none"])
async def test_over_a_socket_the_peers_address_decides(
    server: ScriptedServer, trusted: str
) -> None:
    async with running_proxy(server, rules=Rules(trusted=Networks(trusted))) as rig:
        assert (await _ask(rig)).status == 200
    expected = b"9.9.9.9,127.0.0.1" if trusted == "private" else b"127.0.0.1"
    assert server.seen[0].field(b"x-forwarded-for") == expected
    assert (server.seen[0].field(b"x-scheme") is None) is (trusted == "none")


async def _ask(rig: Rig) -> Answer:
    return await rig.ask(get(b"/t/echo", CLAIMED))
