"""Which URLs may be a route's target."""

import pytest

from perijove.proxy.targets import Targets, parse_target


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "base"),
    [
        ("http://127.0.0.1:8081", "127.0.0.1", 8081, False, b""),
        ("http://server", "server", 80, False, b""),
        ("https://server/", "server", 443, True, b""),
        ("https://[::1]:99/base/path/", "::1", 99, True, b"/base/path"),
        ("http://Server/a%20b", "server", 80, False, b"/a%20b"),
    ],
)
def test_a_url_names_a_server(url: str, host: str, port: int, tls: bool, base: bytes) -> None:
    target = parse_target(url)
    assert (target.host, target.port, target.tls, target.base) == (host, port, tls, base)


@pytest.mark.parametrize("scheme", ["http+unix", "unix+http"])
def test_a_socket_is_named_by_its_escaped_path(scheme: str) -> None:
    target = parse_target(f"{scheme}://%2Ftmp%2Fa%20b.sock/base")
    assert (target.socket, target.base) == ("/tmp/a b.sock", b"/base")


@pytest.mark.parametrize(
    "url",
    [
        "nope",
        "",
        "http://",
        "http:///x",
        "//server",
        "ftp://server",
        "http://server:0",
        "http://server:70000",
        "http://server:x",
        "http://user@server",
        "http://server/a?b",
        "http://server/#x",
        "http://ser ver",
        "http://server/a b",
        "http://server/\r\nX: y",
        "http://server\\x",
        "http://server/ü",
        "http://[::1",
        "http+unix://relative",
        "http+unix://",
        "http+unix://%2Fa%00b",
    ],
)
def test_what_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^Target "):
        parse_target(url)


def test_the_authority_leaves_usual_ports_out() -> None:
    assert parse_target("https://a:443").authority == b"a"
    assert parse_target("http://a:443").authority == b"a:443"
    assert parse_target("http://[::1]:81").authority == b"[::1]:81"


def test_routes_to_one_url_share_a_target_until_the_last_is_gone() -> None:
    targets = Targets()
    one, two = targets.take("http://a:1"), targets.take("http://a:1")
    other = targets.take("http://a:1/x")
    assert one is two
    assert other is not one
    targets.release(one)
    assert not one.closed
    targets.release(two)
    assert one.closed
    assert list(targets) == [other]
    assert targets.take("http://a:1") is not one
