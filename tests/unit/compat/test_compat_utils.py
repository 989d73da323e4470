"""The helpers that plug-ins import."""

import asyncio
import concurrent.futures
import socket
import time
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError
from traitlets.config import Config

from perijove.compat import utils
from perijove.compat.crypto import CryptKeeper, InvalidToken, NoEncryptionKeys
from perijove.compat.scopes import expand_scopes, has_scope


@pytest.mark.parametrize(
    ("pieces", "path"),
    [
        (("/hub/", "/login"), "/hub/login"),
        (("a", "b/"), "a/b/"),
        (("/", "x"), "/x"),
        (("http://h/", "/api/", "users"), "http://h/api/users"),
    ],
)
def test_pieces_are_joined_by_single_slashes(pieces: tuple[str, ...], path: str) -> None:
    assert utils.url_path_join(*pieces) == path


def test_names_times_and_tokens_have_the_forms_of_the_wire() -> None:
    assert utils.url_escape_path("ü@x~/") == "%C3%BC@x~%2F"
    assert len(utils.new_token()) == 32
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert utils.isoformat(noon) == "2026-01-01T11:00:00.000000Z"
    assert utils.isoformat(noon.replace(tzinfo=None)) == "2026-01-01T12:00:00.000000Z"
    assert utils.isoformat(None) is None
    assert utils.utcnow().tzinfo is UTC
    assert utils.utcnow(with_tz=False).tzinfo is None
    hashed = utils.hash_token("secret", rounds=3)
    assert utils.compare_token(hashed, "secret")
    assert not utils.compare_token(hashed, "other")


@pytest.mark.parametrize(
    ("text", "quoted"), [("lab", "lab"), ("12", "'12'"), ("[1]", "'[1]'"), ("'x'", "'x'")]
)
def test_values_for_traitlets_stay_text(text: str, quoted: str) -> None:
    assert utils.quote_for_traitlets(text) == quoted


async def test_anything_becomes_a_future() -> None:
    async def later() -> int:
        return 1

    thread: concurrent.futures.Future[int] = concurrent.futures.Future()
    thread.set_result(2)
    given = asyncio.get_running_loop().create_future()
    given.set_result(3)
    results = [await utils.maybe_future(value) for value in (later(), thread, given, 4, None)]
    assert results == [1, 2, 3, 4, None]


# -- waiting ------------------------------------------------------------------------
async def test_backing_off_ends_with_the_first_true_result() -> None:
    answers = iter([None, 0, "yes"])

    async def ask(word: str, *, end: str) -> Any:
        assert word + end == "please!"
        return next(answers)

    result = await utils.exponential_backoff(ask, "no", 0.001, 2, 0.01, 5, 0.1, "please", end="!")
    assert result == "yes"


async def test_backing_off_neither_overflows_nor_loses_its_jitter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    now = 0.0

    async def sleep(delay_s: float) -> None:
        nonlocal now
        slept.append(delay_s)
        now += delay_s

    monkeypatch.setattr(utils.asyncio, "sleep", sleep)
    monkeypatch.setattr(utils.time, "monotonic", lambda: now)
    with pytest.raises(TimeoutError, match="still not"):
        await utils.exponential_backoff(
            lambda: False, "still not", scale_factor=1e100, timeout=10_000, max_wait=5
        )
    at_cap = slept[2:-1]
    assert len(at_cap) > 1000
    assert max(at_cap) <= 5
    assert len(set(at_cap)) == len(at_cap)
    assert min(at_cap) < 0.5 < 4.5 < max(at_cap)


async def test_the_time_limit_varies_within_its_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[float, float]] = []
    monkeypatch.setattr(
        utils.random, "uniform", lambda low, high: limits.append((low, high)) or 0.0
    )
    with pytest.raises(TimeoutError):
        await utils.exponential_backoff(lambda: False, "no", timeout=10, timeout_tolerance=0.1)
    assert limits[0] == (9, 11)


async def test_iteration_ends_with_its_deadline_and_keeps_what_is_ready() -> None:
    async def numbers() -> Any:
        for number in range(3):
            yield number
        await asyncio.Event().wait()

    deadline = asyncio.get_running_loop().create_future()
    seen = []
    async with asyncio.timeout(5):
        async for number in utils.iterate_until(deadline, numbers()):
            seen.append(number)
            if number == 0:
                deadline.set_result(None)
    assert seen == [0, 1, 2]


async def test_waiting_for_servers_ends_in_time_or_with_an_error() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert await asyncio.to_thread(utils.can_connect, "127.0.0.1", port)
        await utils.wait_for_server("0.0.0.0", port, timeout=5)
    began = time.monotonic()
    for wait in (
        utils.wait_for_server("127.0.0.1", port, timeout=0.2),
        utils.wait_for_http_server(f"http://127.0.0.1:{port}/", timeout=0.2),
    ):
        with pytest.raises(utils.AnyTimeoutError):
            await wait
    assert time.monotonic() - began < 5


# -- requests ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("headers", "protocol"),
    [
        ({}, "http"),
        ({"X-Forwarded-Proto": "https,http"}, "https"),
        ({"X-Scheme": "https", "X-Forwarded-Proto": "http"}, "https"),
        ({"Forwarded": 'for=1.2.3.4; proto="https", proto=http', "X-Scheme": "http"}, "https"),
    ],
)
def test_the_browsers_protocol_is_told_by_the_first_proxy(
    headers: dict[str, str], protocol: str
) -> None:
    request: Any = SimpleNamespace(headers=HTTPHeaders(headers), protocol="http")
    assert utils.get_browser_protocol(request) == protocol


def test_old_decorators_refuse_who_may_not_call() -> None:
    class Handler:
        current_user: Any = None
        _hub_call = SimpleNamespace(caller=SimpleNamespace(token=None))

        @utils.admin_only
        def admin(self) -> str:
            return "admin"

        @utils.authenticated_403
        def known(self) -> str:
            return "known"

        @utils.token_authenticated
        def token(self) -> str:
            return "token"

    handler = Handler()
    for method in (handler.admin, handler.known, handler.token):
        with pytest.raises(HTTPError) as caught:
            method()
        assert caught.value.status_code == 403
    handler.current_user = SimpleNamespace(admin=True)
    assert (handler.admin(), handler.known()) == ("admin", "known")
    handler._hub_call.caller.token = object()
    assert handler.token() == "token"


# -- scopes and secrets -----------------------------------------------------------------
def test_scopes_are_expanded_and_looked_up() -> None:
    held = expand_scopes(["self"], SimpleNamespace(name="ada", kind="user"))
    assert "read:users!user=ada" in held
    assert has_scope("access:servers!server=ada/lab", held)
    assert not has_scope("access:servers!server=eve/", held)
    assert not has_scope("access:servers", held)
    assert has_scope("access:servers", held, post_filter=True)
    assert has_scope("read:users!user=eve", expand_scopes(["users"]))
    assert not has_scope("admin:users", held, post_filter=True)


async def test_the_crypt_keeper_uses_all_keys_to_decrypt() -> None:
    old = CryptKeeper(keys=["aa" * 32])
    secret = await old.encrypt({"t": 1})
    both = CryptKeeper(config=Config({"CryptKeeper": {"keys": ["bb" * 32, "aa" * 32]}}))
    assert await both.decrypt(secret) == {"t": 1}
    with pytest.raises(InvalidToken):
        await CryptKeeper(keys=["cc" * 32]).decrypt(secret)
    with pytest.raises(NoEncryptionKeys):
        CryptKeeper(keys=[]).encrypt({})
