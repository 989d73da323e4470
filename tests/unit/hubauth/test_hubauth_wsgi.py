"""The WSGI middleware by itself: bodies that were looked at, paths, threads that ask at once."""

import io
import json
import threading
from collections.abc import Iterable
from typing import Any

from hubauth_faces import BASE, SCOPE, gate_for
from hypothesis import given
from hypothesis import strategies as st

from perijove.hubauth import forms
from perijove.hubauth.client import HubReply, HubRequest
from perijove.hubauth.link import HubLink
from perijove.hubauth.wsgi import VISITOR, HubAuthMiddleware, look_ahead, request_of


@given(st.binary(max_size=3000), st.integers(1, 700), st.integers(1, 2000))
def test_a_body_that_was_looked_at_is_read_whole(body: bytes, step: int, at_most: int) -> None:
    class Dribble(io.BytesIO):
        """Gives less than it is asked for, as sockets do."""

        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size, step) if size and size > 0 else size)

    whole = forms.MAX_LOOK_BYTES
    try:
        forms.MAX_LOOK_BYTES = at_most
        environ: dict[str, Any] = {
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": Dribble(body),
        }
        beginning = look_ahead(environ)
    finally:
        forms.MAX_LOOK_BYTES = whole
    assert beginning == body[:at_most]
    assert environ["wsgi.input"].read(len(body)) == body


def test_a_body_without_a_length_is_left_alone_unless_the_server_ends_it() -> None:
    stream = io.BytesIO(b"abc")
    environ: dict[str, Any] = {"wsgi.input": stream}
    assert look_ahead(environ) == b""
    assert environ["wsgi.input"] is stream
    environ["wsgi.input_terminated"] = True
    assert look_ahead(environ) == b"abc"
    assert environ["wsgi.input"].read() == b"abc"


def test_the_address_is_put_together_again_byte_for_byte() -> None:
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/services/svc",
        "PATH_INFO": "/ü x".encode().decode("latin-1"),
        "QUERY_STRING": "a=%2F",
    }
    request = request_of(environ)
    assert request.path == "/services/svc/ü x"
    assert request.uri == "/services/svc/%C3%BC%20x?a=%2F"


def test_threads_that_ask_for_one_token_at_once_share_one_question() -> None:
    asked: list[str] = []
    all_here = threading.Barrier(8)
    release = threading.Event()

    def fetch(request: HubRequest) -> HubReply:
        asked.append(request.url)
        assert release.wait(5)
        return HubReply(200, {}, json.dumps({"name": "bob", "scopes": [SCOPE]}).encode())

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ[VISITOR].user["name"].encode()]

    gate = gate_for(1)
    guarded = HubAuthMiddleware(app, gate, link=HubLink(gate.settings, fetch=fetch))
    said: list[bytes] = []

    def visit() -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": BASE, "HTTP_AUTHORIZATION": "token t"}
        all_here.wait(5)
        said.append(b"".join(guarded(environ, lambda *_: lambda _: None)))

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join(5)
    assert said == [b"bob"] * 8
    assert len(asked) == 1
