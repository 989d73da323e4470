"""Both sides of an exchange on transports that only take notes."""

from typing import Any

from perijove.proxy.connection import ClientConnection
from perijove.proxy.forward import Upstream, borrow
from perijove.proxy.limits import Limits
from perijove.proxy.plane import Plane, Settings
from perijove.proxy.table import Route, Table
from perijove.proxy.targets import parse_target

GET = b"GET /t/ HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Notes:
    """A transport that remembers what was done to it."""

    def __init__(self) -> None:
        self.written = b""
        self.reading = True
        self.ended = ""
        self.unsent = 0

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        assert high > 0

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.ended in ("close", "abort")

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        assert not self.is_closing()
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write_eof(self) -> None:
        self.ended = "eof"

    def close(self) -> None:
        self.ended = "close"

    def abort(self) -> None:
        self.ended = "abort"


class Play:
    """A client's connection, and servers' connections in the pool of ``/t``."""

    def __init__(self, pooled: int = 1) -> None:
        self.plane = Plane(Settings(limits=Limits()), Table())
        self.target = parse_target("http://server")
        self.plane.table.add(Route("/t", self.target, {}, 0.0))
        self.servers: list[Upstream] = []
        for _ in range(pooled):
            server = Upstream(self.plane, self.target)
            server.connection_made(Notes())  # type: ignore[arg-type]
            server.reused = True
            self.servers.append(server)
            self.target.pool.append(server)
        self.client = ClientConnection(self.plane, secure=False)
        self.client.connection_made(Notes())  # type: ignore[arg-type]

    @property
    def at_client(self) -> Notes:
        """The notes of the client's transport."""
        return self.client.transport  # type: ignore[return-value]

    def at_server(self, number: int = 0) -> Notes:
        """The notes of a server's transport."""
        return self.servers[number].transport  # type: ignore[return-value]


def test_an_exchange_goes_out_and_back_and_the_connection_rests() -> None:
    play = Play()
    play.client.data_received(GET)
    assert play.at_server().written.startswith(b"GET /t/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For")
    assert not play.target.pool
    play.servers[0].data_received(OK)
    assert play.at_client.written == OK
    assert play.target.pool == play.servers


def test_a_slow_client_stops_its_server_and_nobody_elses() -> None:
    play = Play()
    play.client.data_received(GET)
    play.servers[0].data_received(OK[:-1])
    play.client.pause_writing()
    assert not play.at_server().reading
    play.servers[0].data_received(OK[-1:])
    assert play.at_server().reading  # at rest in the pool it must notice its end
    assert play.target.pool == play.servers


def test_the_next_exchange_of_a_slow_client_begins_when_it_has_read() -> None:
    play = Play()
    play.client.pause_writing()
    play.client.data_received(GET)
    assert not play.at_server().written
    assert not play.at_client.reading
    play.client.resume_writing()
    assert play.at_server().written
    assert play.at_client.reading


def test_a_server_is_not_read_from_while_the_client_still_has_to_take_the_last_answer() -> None:
    play = Play()
    play.client.pause_writing()
    play.servers[0].send(play.client, GET)
    assert not play.at_server().reading


def test_a_slow_server_stops_the_upload() -> None:
    play = Play()
    play.client.data_received(b"POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    play.target.pool.clear()
    server = play.servers[0]
    server.client = play.client
    server.pause_writing()
    assert not play.at_client.reading
    server.resume_writing()
    assert play.at_client.reading


def test_a_request_that_cannot_be_repeated_does_not_risk_a_connection_that_rested_long() -> None:
    play = Play()
    assert borrow(play.target, play.plane.now + 3.0) is None
    assert play.target.pool == play.servers
    assert borrow(play.target, play.plane.now + 1.0) is play.servers[0]


def test_a_request_that_can_be_repeated_uses_any_connection() -> None:
    play = Play()
    play.plane.now += 3.0
    play.client.data_received(GET)
    assert play.at_server().written.startswith(b"GET /t/ ")


def test_a_request_that_cannot_be_repeated_uses_no_connection_that_is_closing() -> None:
    play = Play(pooled=2)
    play.at_server(1).close()
    assert borrow(play.target, play.plane.now) is play.servers[0]
    assert not play.target.pool


def test_after_a_refusal_the_client_is_read_on_for_a_while() -> None:
    play = Play()
    play.client.data_received(b"GET /t/ HTTP/1.1\r\n\r\n")
    assert play.at_client.written.startswith(b"HTTP/1.1 400 ")
    assert play.at_client.ended == "eof"  # closing now could reset what was answered
    play.client.data_received(bytes(1000))
    play.client.expire(play.client.deadline)
    assert play.at_client.ended == "abort"


def test_an_answer_that_is_still_on_its_way_is_not_cut_off_by_the_deadline() -> None:
    play = Play()
    play.client.data_received(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    play.at_client.unsent = 1000
    play.servers[0].data_received(OK)
    assert play.at_client.ended == "close"
    play.client.expire(play.client.deadline)
    assert play.at_client.ended == "close"
    play.at_client.unsent = 0
    play.client.expire(play.client.deadline)
    assert play.at_client.ended == "abort"


def test_requests_sent_early_are_kept_up_to_a_bound_and_then_answered() -> None:
    play = Play()
    early = GET[:-2] + b"A: " + bytes(b"x" * 30_000) + b"\r\n\r\n"
    play.client.data_received(GET)
    for _ in range(2):
        play.client.data_received(early)
    assert play.at_client.reading
    play.client.data_received(early)
    assert not play.at_client.reading
    for _ in range(4):
        play.servers[0].data_received(OK)
    assert play.at_client.reading
    assert play.at_client.written == OK * 4


def test_the_servers_end_within_a_response_ends_the_client_at_once() -> None:
    for end in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", OK[:-1]):
        play = Play()
        play.client.data_received(GET)
        play.servers[0].data_received(end)
        play.servers[0].eof_received()
        assert play.at_client.ended == "abort"


def test_a_server_that_fails_in_an_answer_until_its_end_is_no_whole_answer() -> None:
    play = Play()
    play.client.data_received(GET)
    play.servers[0].data_received(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    play.servers[0].connection_lost(ConnectionResetError())
    assert play.at_client.ended == "abort"


def test_a_lost_client_ends_its_server() -> None:
    play = Play()
    play.client.data_received(GET)
    play.client.connection_lost(None)
    assert play.at_server().ended == "abort"
    assert not play.plane.clients


def test_idempotence_decides_about_a_connection_just_rested() -> None:
    play = Play()
    play.client.data_received(POST)
    assert play.at_server().written.startswith(b"POST /t")
    play.servers[0].eof_received()
    assert play.at_client.written.startswith(b"HTTP/1.1 503 ")


def test_a_request_is_not_repeated_once_a_byte_of_its_answer_came() -> None:
    play = Play()
    play.client.data_received(GET)
    play.servers[0].data_received(b"HTTP/1.1 2")
    play.servers[0].eof_received()
    assert play.at_client.written.startswith(b"HTTP/1.1 503 ")


def test_a_proxy_that_ends_tells_so_with_its_last_answers() -> None:
    play = Play()
    play.plane.ending = True
    play.client.data_received(GET)
    play.servers[0].data_received(OK)
    assert b"\r\nConnection: close\r\n" in play.at_client.written
    assert play.at_client.ended == "close"
