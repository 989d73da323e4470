"""The heads that go out, byte for byte."""

from typing import Any

from perijove.proxy.forwarded import Forwarding, Networks
from perijove.proxy.head import read_request
from perijove.proxy.response import read_response
from perijove.proxy.rewrite import Rules, kept_fields, location_of, request_head, response_head
from perijove.proxy.table import Route
from perijove.proxy.targets import parse_target

XFF = (
    b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Port: 80\r\nX-Forwarded-Proto: http\r\n"
    b'Forwarded: for=1.2.3.4;host="x";proto=http\r\nX-Forwarded-Host: x\r\n\r\n'
)


def sent(
    head: bytes,
    key: str = "/t",
    target: str = "http://server:99",
    secure: bool = False,
    ip: bytes = b"1.2.3.4",
    trusted: str = "1.2.3.4",
    **rules: Any,
) -> bytes:
    """What a request head becomes."""
    request = read_request(head)
    assert request is not None
    route = Route(key, parse_target(target), {}, 0.0, by_host=rules.get("by_host", False))
    forwarding = Forwarding(ip, secure, Networks(trusted))
    wanted = Rules(**rules)
    kept = kept_fields(request.fields, forwarding, wanted)
    return request_head(head, request, route, forwarding, wanted, kept)


PLAIN = b"GET /t/a?b HTTP/1.1\r\nHost: x\r\nhEaDeR:  kept as it is \r\n"


def test_a_plain_head_only_gets_the_forwarded_block() -> None:
    assert sent(PLAIN + b"\r\n") == PLAIN + XFF
    assert sent(PLAIN + b"\r\n", x_forward=False) == PLAIN + b"\r\n"


def test_the_block_says_port_and_scheme_of_the_public_side() -> None:
    head = b"GET / HTTP/1.1\r\nHost: h:8443\r\n\r\n"
    assert b"X-Forwarded-Port: 8443\r\nX-Forwarded-Proto: https\r\n" in sent(head, secure=True)
    head = b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n"
    assert b"X-Forwarded-Port: 443\r\n" in sent(head, secure=True)
    assert b"X-Forwarded-Port: 80\r\n" in sent(head)


def test_given_values_are_appended_to_and_a_given_host_is_kept() -> None:
    out = sent(
        PLAIN + b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\n"
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Host: outer\r\n\r\n"
    )
    assert b"X-Forwarded-For: 9.9.9.9,8.8.8.8,1.2.3.4\r\n" in out
    assert b"X-Forwarded-Proto: https,http\r\n" in out
    assert b"X-Forwarded-Port: 443,80\r\n" in out
    assert b"X-Forwarded-Host: outer\r\n" in out
    assert out.lower().count(b"x-forwarded-") == 4


def test_without_x_forward_given_values_pass() -> None:
    out = sent(PLAIN + b"X-Forwarded-For: 9.9.9.9\r\nKeep-Alive: 1\r\n\r\n", x_forward=False)
    assert b"X-Forwarded-For: 9.9.9.9\r\n" in out
    assert b"Keep-Alive" not in out


def test_websockets_name_their_scheme_and_no_forwarded_host() -> None:
    out = sent(
        PLAIN + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", secure=True
    )
    assert b"X-Forwarded-Proto: wss\r\n" in out
    assert b"X-Forwarded-Host" not in out
    assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in out


def test_the_targets_path_comes_first() -> None:
    assert sent(PLAIN + b"\r\n", target="http://s/base/").startswith(
        b"GET /base/t/a?b HTTP/1.1\r\n"
    )
    out = sent(PLAIN + b"\r\n", target="http://s/base", prepend_path=False)
    assert out.startswith(b"GET /t/a?b HTTP/1.1\r\n")


def test_the_prefix_can_be_left_out() -> None:
    for path, left in (
        (b"/t/a?b", b"/a?b"),
        (b"/t", b"/"),
        (b"/t/", b"/"),
        (b"/t?x=/y", b"/?x=/y"),
        (b"/%74/a%2Fb", b"/a%2Fb"),
    ):
        out = sent(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n", include_prefix=False)
        assert out.startswith(b"GET " + left + b" HTTP/1.1\r\n")
    out = sent(b"GET /t/a HTTP/1.1\r\nHost: x\r\n\r\n", key="/", include_prefix=False)
    assert out.startswith(b"GET /t/a HTTP/1.1\r\n")
    out = sent(
        b"GET /t/a HTTP/1.1\r\nHost: x\r\n\r\n", key="/x/t", include_prefix=False, by_host=True
    )
    assert out.startswith(b"GET /a HTTP/1.1\r\n")


def test_the_origin_can_be_changed() -> None:
    out = sent(PLAIN + b"\r\n", change_origin=True)
    assert b"Host: server:99\r\n" in out
    assert b"Host: x\r\nhEaDeR" not in out
    assert b"X-Forwarded-Host: x\r\n" in out


def test_custom_headers_replace_those_of_the_client() -> None:
    out = sent(PLAIN + b"X-A: theirs\r\n\r\n", custom_headers=((b"x-a", b"ours"), (b"B", b"2")))
    assert b"theirs" not in out
    assert b"x-a: ours\r\nB: 2\r\n" in out


def test_delete_and_options_without_body_say_so() -> None:
    for method in (b"DELETE", b"OPTIONS"):
        head = method + b" / HTTP/1.1\r\nHost: x\r\n"
        assert b"\r\nContent-Length: 0\r\n" in sent(head + b"\r\n")
        assert sent(head + b"Content-Length: 3\r\n\r\n").lower().count(b"content-length") == 1
        assert b"ontent-" not in sent(head + b"Transfer-Encoding: chunked\r\n\r\n")


def test_expectations_of_http10_clients_are_ignored() -> None:
    head = b"POST / HTTP/1.%d\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
    assert b"Expect" not in sent(head % 0 + b"\r\n")
    assert b"Expect: 100-continue\r\n" in sent(head % 1 + b"\r\n")
    assert b"Expect: 100-continue\r\n" in sent(head % 1 + b"Keep-Alive: 1\r\n\r\n")


def test_a_connection_field_cannot_remove_what_identifies() -> None:
    out = sent(
        PLAIN + b"Cookie: a=1\r\nAuthorization: token x\r\nX-Forwarded-For: 9.9.9.9\r\nX-B: 1\r\n"
        b"Connection: close, host, cookie, authorization, x-forwarded-for, x-b\r\n\r\n"
    )
    for kept in (b"Host: x\r\n", b"Cookie: a=1\r\n", b"token x\r\n", b"9.9.9.9,1.2.3.4"):
        assert kept in out
    assert b"X-B" not in out


def answered(head: bytes, **options: Any) -> bytes:
    """What a response head becomes."""
    response = read_response(head)
    assert response is not None
    return response_head(head, response, **{"connection": b"keep-alive", **options})


def test_responses_lose_fields_of_their_hop() -> None:
    head = (
        b"HTTP/1.0 200 Fine\r\nServer: S\r\nConnection: x-a, close\r\nX-A: 1\r\nKeep-Alive: 3\r\n"
        b"Proxy-Authenticate: Basic\r\nUpgrade: h2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n"
    )
    assert answered(head) == (
        b"HTTP/1.1 200 Fine\r\nServer: S\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
        b"Connection: keep-alive\r\n\r\n"
    )


def test_a_switch_keeps_its_upgrade() -> None:
    head = b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\nX: 1\r\n\r\n"
    out = answered(head, connection=None)
    assert out == b"HTTP/1.1 101 S\r\nX: 1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def rewritten(where: str, **rules: Any) -> bytes:
    """The Location that a client gets."""
    request = read_request(b"GET / HTTP/1.1\r\nHost: public.test:8000\r\n\r\n")
    head = f"HTTP/1.1 302 F\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
    response = read_response(head)
    assert request is not None
    assert response is not None
    location = location_of(request, response, parse_target("http://server:99"), Rules(**rules))
    out = response_head(head, response, connection=None, location=location)
    return out.split(b"Location: ")[1].split(b"\r\n")[0]


def test_redirects_to_the_server_can_be_pointed_at_the_proxy() -> None:
    assert rewritten("http://server:99/a?b") == b"http://server:99/a?b"
    assert rewritten("http://server:99/a?b", auto_rewrite=True) == b"http://public.test:8000/a?b"
    assert rewritten("http://server:99/a", protocol_rewrite="https") == b"https://server:99/a"
    for other in ("/a", "http://elsewhere/a", "http://server/a", "//server/a"):
        assert rewritten(other, auto_rewrite=True, protocol_rewrite="https") == other.encode()
