"""Reports of activity to the hub."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from perijove.hubauth.client import HubFailed, HubRefused, HubUnreachable
from perijove.kit.clock import ManualClock
from perijove.singleuser.activity import ActivityReporter

START = datetime(2026, 1, 1, tzinfo=UTC)


class Server:
    """Its last activity, and a hub that takes reports or does not."""

    def __init__(self) -> None:
        self.last = START
        self.sent: list[str] = []
        self.attempts = 0
        self.fault: Exception | None = None

    async def send(self, moment: str) -> None:
        self.attempts += 1
        if self.fault is not None:
            raise self.fault
        self.sent.append(moment)


def make() -> tuple[ActivityReporter, Server, ManualClock]:
    server, clock = Server(), ManualClock()
    reporter = ActivityReporter(lambda: server.last, server.send, 300.0, clock, random.Random(7))
    return reporter, server, clock


async def turn(clock: ManualClock, seconds: float) -> None:
    """Turn the clock in small steps, letting tasks run."""
    for _ in range(int(seconds)):
        await clock.advance(1.0)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_the_first_report_comes_at_once_in_the_wires_format() -> None:
    reporter, server, _ = make()
    task = asyncio.create_task(reporter.run())
    await asyncio.sleep(0)
    assert server.sent == ["2026-01-01T00:00:00.000000Z"]
    task.cancel()


async def test_later_reports_come_every_interval_give_or_take_a_tenth() -> None:
    reporter, server, clock = make()
    task = asyncio.create_task(reporter.run())
    await asyncio.sleep(0)
    server.last = START + timedelta(seconds=5)
    await turn(clock, 269)
    assert len(server.sent) == 1
    await turn(clock, 62)
    assert len(server.sent) == 2
    task.cancel()


async def test_nothing_new_is_not_reported() -> None:
    reporter, server, _ = make()
    assert await reporter.report()
    assert not await reporter.report()
    server.last += timedelta(seconds=1)
    assert await reporter.report()
    assert len(server.sent) == 2


async def test_a_hub_that_is_down_is_tried_for_a_minute_and_the_next_report_covers_it() -> None:
    reporter, server, clock = make()
    server.fault = HubUnreachable("down")
    task = asyncio.create_task(reporter.report())
    await turn(clock, 75)
    with pytest.raises(HubUnreachable):
        await task
    assert 4 < server.attempts < 60
    assert clock.monotonic() <= 75
    server.fault = None
    assert await reporter.report()


async def test_a_report_gets_through_when_the_hub_comes_back_within_the_minute() -> None:
    reporter, server, clock = make()
    server.fault = HubFailed("starting")
    task = asyncio.create_task(reporter.report())
    await turn(clock, 5)
    server.fault = None
    await turn(clock, 20)
    assert await task
    assert len(server.sent) == 1


async def test_a_refusal_is_not_repeated_but_reporting_goes_on() -> None:
    reporter, server, clock = make()
    server.fault = HubRefused("no such user")
    task = asyncio.create_task(reporter.run())
    await turn(clock, 5)
    assert server.attempts == 1
    server.fault = None
    await turn(clock, 330)
    assert len(server.sent) == 1
    assert not task.done()
    task.cancel()
