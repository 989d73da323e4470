"""Time that tests turn, and the wire's form of moments."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.kit.clock import ManualClock, RealClock, isoformat, parse_time


async def test_sleepers_wake_in_order_of_their_time() -> None:
    clock, woken = ManualClock(), []

    async def sleep(delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append((delay_s, clock.monotonic()))

    tasks = [asyncio.create_task(sleep(delay_s)) for delay_s in (30, 10, 20)]
    await asyncio.sleep(0)
    await clock.advance(5)
    assert woken == []
    await clock.advance(20)
    assert woken == [(10, 10), (20, 20)]
    await clock.advance(5)
    assert woken[-1] == (30, 30)
    await asyncio.gather(*tasks)


async def test_the_hand_turned_clock_turns_both_its_faces() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    clock = ManualClock(start)
    await clock.advance(90.5)
    assert clock.now() == start + timedelta(seconds=90.5)
    assert clock.monotonic() == 90.5


async def test_the_real_clock_is_aware_and_sleeps() -> None:
    clock = RealClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009
    assert clock.now().tzinfo is UTC


def test_the_wire_format_is_utc_with_microseconds() -> None:
    moment = datetime(2026, 11, 25, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert isoformat(moment) == "2026-11-25T12:00:00.000005Z"


@given(st.datetimes(timezones=st.timezones()))
def test_every_moment_survives_the_wire(moment: datetime) -> None:
    try:
        text = isoformat(moment)
    except OverflowError:
        return  # at the very ends of the calendar there is no UTC for it
    assert parse_time(text) == moment.astimezone(UTC)


def test_text_without_offset_is_utc() -> None:
    assert parse_time("2026-11-25T12:00:00") == datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13-01T00:00:00Z",
        "2026-11-25T12:00:00Zz",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
    ],
)
def test_text_that_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)
