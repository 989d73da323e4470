"""A tornado application inside ASGI, driven message by message."""

import asyncio
import json
from typing import Any

import pytest
from tornado.iostream import StreamClosedError
from tornado.web import (
    Application,
    HTTPError,
    RequestHandler,
    StaticFileHandler,
    stream_request_body,
)

from perijove.compat.bridge import TornadoGuest


class Client:
    """Sends one request and notes what comes back."""

    def __init__(self, guest: TornadoGuest) -> None:
        self.guest = guest
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.gate: asyncio.Event | None = None

    async def send(self, message: Any) -> None:
        if self.gate is not None and message["type"] == "http.response.body":
            await self.gate.wait()
        self.sent.append(message)

    def start(
        self, method: str, path: str, body: bytes | None = b"", headers: Any = ()
    ) -> "asyncio.Task[None]":
        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"hub.test"), *headers],
            "client": ("10.1.2.3", 4),
            "scheme": "https",
            "http_version": "1.1",
        }
        if body is not None:
            self.incoming.put_nowait({"type": "http.request", "body": body})
        return asyncio.ensure_future(self.guest(scope, self.incoming.get, self.send))

    async def ask(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, list[str]], bytes]:
        async with asyncio.timeout(10):
            await self.start(*args, **kwargs)
        return self.answer()

    def answer(self) -> tuple[int, dict[str, list[str]], bytes]:
        head, *rest = self.sent
        headers: dict[str, list[str]] = {}
        for name, value in head["headers"]:
            headers.setdefault(name.decode(), []).append(value.decode())
        return head["status"], headers, b"".join(message["body"] for message in rest)

    def disconnect(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})


class Echo(RequestHandler):
    def get(self) -> None:
        self.set_cookie("a", "1")
        self.set_secure_cookie("b", "2")
        self.write(
            {
                "uri": self.request.uri,
                "ip": self.request.remote_ip,
                "protocol": self.request.protocol,
                "args": {k: [v.decode() for v in vs] for k, vs in self.request.arguments.items()},
            }
        )

    head = get

    def post(self) -> None:
        files = {name: [f["filename"] for f in fs] for name, fs in self.request.files.items()}
        self.write({"who": self.get_body_argument("who", None), "files": files})


class Stream(RequestHandler):
    closed: list[str] = []
    progress: list[int] = []

    async def get(self) -> None:
        try:
            for number in range(3):
                self.write(b"%d" % number)
                await self.flush()
                self.progress.append(number)
        except StreamClosedError:
            self.closed.append("stream")

    def on_connection_close(self) -> None:
        self.closed.append("handler")


class Waiting(Stream):
    async def get(self) -> None:
        await asyncio.Event().wait()


class Failing(RequestHandler):
    async def get(self) -> None:
        if self.get_argument("late", None):
            self.write("begun")
            await self.flush()
        if self.get_argument("status", None):
            raise HTTPError(int(self.get_argument("status")), reason="as asked")
        raise RuntimeError("unexpected")

    def log_exception(self, *args: Any) -> None:
        pass


@stream_request_body
class Upload(RequestHandler):
    def prepare(self) -> None:
        self.size = 0

    async def data_received(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self.size += len(chunk)

    def post(self) -> None:
        self.write(str(self.size))


class Late(RequestHandler):
    """Begins work that must be done before the answer leaves."""

    done: list[str] = []

    def get(self) -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            if self.get_argument("fail", None):
                raise RuntimeError("the database is away")
            self.done.append("stored")

        connection: Any = self.request.connection
        connection.before_send.append(work())
        self.redirect("/next")


@pytest.fixture
def client(tmp_path: Any) -> Client:
    (tmp_path / "file.txt").write_text("0123456789")
    rules: list[Any] = [
        (r"/hub/echo(?:/.*)?", Echo),
        (r"/hub/stream", Stream),
        (r"/hub/waiting", Waiting),
        (r"/hub/fail", Failing),
        (r"/hub/upload", Upload),
        (r"/hub/late", Late),
        (r"/hub/files/(.*)", StaticFileHandler, {"path": str(tmp_path)}),
    ]
    Stream.closed, Stream.progress, Late.done = [], [], []
    application = Application(rules, cookie_secret=b"s" * 32, log_function=lambda handler: None)
    return Client(TornadoGuest(application, [rule[0] for rule in rules], max_body_bytes=1000))


def test_only_whole_paths_of_handlers_are_owned(client: Client) -> None:
    owns = client.guest.owns
    assert owns("/hub/echo")
    assert owns("/hub/files/a/b")
    assert not owns("/hub/echoes")
    assert not owns("/hub/streams")
    assert not owns("/other/hub/echo")


async def test_a_request_arrives_as_it_was_sent(client: Client) -> None:
    status, headers, body = await client.ask("GET", "/hub/echo/%C3%BC%2F?a=1&a=2&b=%20")
    assert status == 200
    assert body.startswith(b"{")
    assert json.loads(body) == {
        "uri": "/hub/echo/%C3%BC%2F?a=1&a=2&b=%20",
        "ip": "10.1.2.3",
        "protocol": "https",
        "args": {"a": ["1", "2"], "b": [" "]},
    }
    assert len(headers["set-cookie"]) == 2
    assert "server" not in headers
    assert "date" not in headers


async def test_forms_and_files_are_parsed(client: Client) -> None:
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    _, _, body = await client.ask("POST", "/hub/echo", b"who=a%20b", headers=form)
    assert body == b'{"who": "a b", "files": {}}'
    client.sent.clear()
    parts = (
        b'--x\r\nContent-Disposition: form-data; name="who"\r\n\r\nada\r\n'
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="t.txt"\r\n\r\nhi\r\n--x--\r\n'
    )
    kind = [(b"content-type", b"multipart/form-data; boundary=x")]
    _, _, body = await client.ask("POST", "/hub/echo", parts, headers=kind)
    assert body == b'{"who": "ada", "files": {"f": ["t.txt"]}}'


@pytest.mark.parametrize(
    "kind",
    [b"multipart/form-data", b"multipart/form-data; boundary=y", b"multipart/form-data; boundary="],
)
async def test_a_malformed_form_is_no_server_error(client: Client, kind: bytes) -> None:
    headers = [(b"content-type", kind)]
    status, _, _ = await client.ask("POST", "/hub/echo", b"--x garbage", headers=headers)
    assert status in {200, 400}


async def test_impossible_headers_are_400(client: Client) -> None:
    for headers in ([(b"x", b"a\nb")], [(b"bad name", b"v")]):
        client.sent.clear()
        status, _, _ = await client.ask("GET", "/hub/echo", headers=headers)
        assert status == 400


async def test_cookies_with_odd_bytes_do_no_harm(client: Client) -> None:
    headers = [(b"cookie", b'_xsrf=;;;;=; a="unterminated; \xff\xfe=\xfd; b=2|1:0|bad')]
    status, _, _ = await client.ask("GET", "/hub/echo", headers=headers)
    assert status == 200


async def test_a_body_above_the_limit_is_413(client: Client) -> None:
    status, _, _ = await client.ask("POST", "/hub/echo", b"x" * 1001)
    assert status == 413


async def test_head_has_headers_and_no_body(client: Client) -> None:
    status, headers, body = await client.ask("HEAD", "/hub/echo")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"][0]) > 0


async def test_files_are_served_in_ranges(client: Client) -> None:
    status, headers, body = await client.ask(
        "GET", "/hub/files/file.txt", headers=[(b"range", b"bytes=2-4")]
    )
    assert (status, body) == (206, b"234")
    assert headers["content-range"] == ["bytes 2-4/10"]


async def test_a_slow_client_slows_the_handler(client: Client) -> None:
    client.gate = asyncio.Event()
    task = client.start("GET", "/hub/stream")
    while not client.sent:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert Stream.progress == []
    client.gate.set()
    await task
    assert client.answer()[2] == b"012"
    assert Stream.progress == [0, 1, 2]


async def test_a_handler_hears_that_its_client_left(client: Client) -> None:
    task = client.start("GET", "/hub/waiting")
    await asyncio.sleep(0.01)
    client.disconnect()
    async with asyncio.timeout(5):
        await task
    assert Stream.closed == ["handler"]


async def test_writes_after_the_client_left_fail(client: Client) -> None:
    client.gate = asyncio.Event()
    task = client.start("GET", "/hub/stream")
    while not client.sent:
        await asyncio.sleep(0)
    client.disconnect()
    for _ in range(20):
        await asyncio.sleep(0)
    client.gate.set()
    async with asyncio.timeout(5):
        await task
    for _ in range(20):
        await asyncio.sleep(0)
    assert Stream.closed == ["handler", "stream"]


async def test_a_client_that_leaves_in_mid_request_ends_it(client: Client) -> None:
    client.incoming.put_nowait({"type": "http.request", "body": b"half", "more_body": True})
    client.disconnect()
    async with asyncio.timeout(5):
        await client.start("POST", "/hub/echo", None)
    assert client.sent == []


async def test_errors_have_their_status(client: Client) -> None:
    status, _, _ = await client.ask("GET", "/hub/fail?status=418")
    assert status == 418
    client.sent.clear()
    status, _, _ = await client.ask("GET", "/hub/fail")
    assert status == 500


async def test_uploads_are_streamed_to_handlers_that_want_that(client: Client) -> None:
    for size in (300, 400):
        client.incoming.put_nowait(
            {"type": "http.request", "body": b"x" * size, "more_body": size == 300}
        )
    async with asyncio.timeout(5):
        await client.start("POST", "/hub/upload", None)
    assert client.answer()[2] == b"700"


async def test_work_begun_by_a_handler_is_done_before_its_answer_leaves(client: Client) -> None:
    status, headers, _ = await client.ask("GET", "/hub/late")
    assert (status, headers["location"], Late.done) == (302, ["/next"], ["stored"])
    client.sent.clear()
    status, headers, _ = await client.ask("GET", "/hub/late?fail=1")
    assert status == 500
    assert "location" not in headers
