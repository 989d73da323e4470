"""Watched tasks, shared calls, signals and back-off."""

import asyncio
import logging
import random
from concurrent.futures import Future as ThreadFuture
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.concurrent import Future as TornadoFuture

from perijove.kit import aio
from perijove.kit.aio import (
    Signal,
    SingleFlight,
    Tasks,
    backoff_delays,
    being_cancelled,
    maybe_await,
)


async def test_an_error_in_a_task_is_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks("room")

    async def fails() -> None:
        raise KeyError("gone")

    task = tasks.spawn(fails(), "fetch")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    (record,) = caplog.records
    assert "room:fetch" in record.getMessage()
    assert record.exc_info is not None
    assert len(tasks) == 0


async def test_close_cancels_what_runs_and_refuses_more() -> None:
    tasks = Tasks("room")
    task = tasks.spawn(asyncio.sleep(60), "sleep")
    await asyncio.sleep(0)
    await tasks.close()
    assert task.cancelled()
    late = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="room is closed"):
        tasks.spawn(late, "late")
    await tasks.close()


async def test_close_from_within_a_task_does_not_wait_for_itself() -> None:
    tasks = Tasks("room")
    task = tasks.spawn(tasks.close(), "closer")
    async with asyncio.timeout(2):
        await task


async def test_close_leaves_a_task_that_ignores_its_cancellation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aio, "CLOSE_LIMIT_S", 0.05)
    tasks, end = Tasks("room"), asyncio.Event()

    async def stubborn() -> None:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                pass

    task = tasks.spawn(stubborn(), "stubborn")
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await tasks.close()
    assert "room:stubborn ignores" in caplog.text
    end.set()
    await task


async def test_finished_waits_so_long_and_raises_the_error_of_the_task() -> None:
    tasks, end = Tasks("room"), asyncio.Event()

    async def fails() -> None:
        await end.wait()
        raise ValueError("no")

    task = tasks.spawn(fails(), "fails")
    assert not await tasks.finished(task, 0.01)
    end.set()
    with pytest.raises(ValueError, match="no"):
        await tasks.finished(task, 2)


async def test_calls_of_one_key_share_one_flight() -> None:
    flight, gate, calls = SingleFlight(), asyncio.Event(), []

    async def call() -> int:
        calls.append(1)
        await gate.wait()
        return len(calls)

    asking = [asyncio.create_task(flight.run("key", call)) for _ in range(5)]
    other = asyncio.create_task(flight.run("other", call))
    await asyncio.sleep(0.01)
    asking[0].cancel()
    gate.set()
    assert await asyncio.gather(*asking[1:]) == [2] * 4
    assert await other == 2
    assert len(calls) == 2
    await flight.run("key", call)
    assert len(calls) == 3


async def test_an_error_of_a_shared_call_reaches_all_and_is_not_kept() -> None:
    flight = SingleFlight()
    answers = iter([ValueError("no"), None])

    async def call() -> str:
        await asyncio.sleep(0)
        if (error := next(answers)) is not None:
            raise error
        return "yes"

    results = await asyncio.gather(*(flight.run(1, call) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["no"] * 3
    assert await flight.run(1, call) == "yes"


async def test_anything_that_plug_ins_return_is_awaited() -> None:
    async def coro() -> int:
        return 1

    loop_future = asyncio.get_running_loop().create_future()
    loop_future.set_result(2)
    thread_future: ThreadFuture[int] = ThreadFuture()
    asyncio.get_running_loop().call_later(0.01, thread_future.set_result, 3)
    tornado_future: TornadoFuture[int] = TornadoFuture()
    tornado_future.set_result(4)
    values = [coro(), loop_future, thread_future, tornado_future, 5, None, "text"]
    assert [await maybe_await(value) for value in values] == [1, 2, 3, 4, 5, None, "text"]


@given(
    start_s=st.floats(0.001, 100),
    factor=st.floats(1, 1e6),
    max_s=st.floats(0.001, 100),
    seed=st.integers(),
)
def test_delays_stay_within_their_bounds(
    start_s: float, factor: float, max_s: float, seed: int
) -> None:
    delays = islice(backoff_delays(start_s, factor, max_s, random.Random(seed)), 2000)
    bound = min(start_s, max_s)
    for delay_s in delays:
        assert 0 <= delay_s <= bound
        bound = min(max_s, bound * factor)


def test_delays_stay_random_at_the_cap() -> None:
    delays = list(islice(backoff_delays(1, 1e300, 5, random.Random(1)), 1000))
    assert len(set(delays[10:])) > 900
    assert max(delays) <= 5


async def test_a_signal_between_looking_and_waiting_is_noticed() -> None:
    signal = Signal()
    seen = signal.version
    signal.set()
    assert await signal.wait(seen, 60) == seen + 1


async def test_a_signal_wakes_all_who_wait() -> None:
    signal = Signal()
    waiting = [asyncio.create_task(signal.wait(0)) for _ in range(3)]
    await asyncio.sleep(0)
    signal.set()
    async with asyncio.timeout(2):
        assert await asyncio.gather(*waiting) == [1, 1, 1]


async def test_waiting_for_a_signal_ends_with_the_time_and_leaves_nothing_behind() -> None:
    signal = Signal()
    assert await signal.wait(0, 0.01) == 0
    waiting = asyncio.create_task(signal.wait(0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert signal._waiters == set()


async def test_a_cancellation_from_outside_is_told_from_one_within(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[bool] = []

    async def work(inner: "asyncio.Future[None]") -> None:
        try:
            await inner
        except asyncio.CancelledError:
            seen.append(being_cancelled())

    loop = asyncio.get_running_loop()
    within = loop.create_future()
    task = asyncio.create_task(work(within))
    await asyncio.sleep(0)
    within.cancel()
    await task
    task = asyncio.create_task(work(loop.create_future()))
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert seen == [False, True]
