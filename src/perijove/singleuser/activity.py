"""Tells the hub when this server was last used, so that idle ones can be stopped."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime

from perijove.hubauth import client
from perijove.kit.aio import backoff_delays
from perijove.kit.clock import Clock, RealClock, isoformat

JITTER = 0.1
RETRY_FOR_S = 60.0
RETRY_START_S = 1.0
RETRY_MAX_S = 15.0

log = logging.getLogger("perijove.singleuser")


class ActivityReporter:
    """Reports at the start and then every ``interval_s`` seconds (10 % jitter).

    Nothing is sent when nothing happened since the last report that arrived.
    """

    def __init__(
        self,
        last_activity: Callable[[], datetime],
        send: Callable[[str], Awaitable[None]],
        interval_s: float,
        clock: Clock | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """``send`` posts one moment in the wire's format and raises HubError."""
        self._last_activity = last_activity
        self._send = send
        self.interval_s = interval_s
        self._clock: Clock = clock or RealClock()
        self._chance = chance or random.Random()
        self._reported: datetime | None = None

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            try:
                await self.report()
            except client.HubError as error:
                log.error("The hub did not take the report of activity: %s", error)
            spread = self._chance.uniform(1 - JITTER, 1 + JITTER)
            await self._clock.sleep(self.interval_s * spread)

    async def report(self) -> bool:
        """Send one report, trying for a minute; False if there was nothing to say.

        Raises HubError when it did not arrive; the next report covers it.
        """
        moment = self._last_activity()
        if self._reported is not None and moment <= self._reported:
            return False
        deadline = self._clock.monotonic() + RETRY_FOR_S
        for delay_s in backoff_delays(RETRY_START_S, 2.0, RETRY_MAX_S, self._chance):
            try:
                await self._send(isoformat(moment))
            except client.HubRefused:
                raise  # asking again does not change the answer
            except client.HubError as error:
                if self._clock.monotonic() + delay_s >= deadline:
                    raise
                log.warning("%s Reporting activity again in %.1f seconds.", error, delay_s)
                await self._clock.sleep(delay_s)
            else:
                break
        self._reported = moment
        return True


async def report_forever(reporter: ActivityReporter) -> None:
    """``ActivityReporter.run`` that survives surprises: an unreported server would be culled."""
    while True:
        try:
            await reporter.run()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("Reporting activity failed; trying again in %s s", reporter.interval_s)
            await asyncio.sleep(reporter.interval_s)
