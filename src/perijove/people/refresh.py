"""Asking the authenticator, now and then, whether a sign-in is still good.

Ages are kept per process: each replica asks for itself. However many requests
come at once, a person's refresh runs once.
"""

import logging
from collections import OrderedDict
from enum import Enum
from typing import Protocol

from perijove.domain.errors import PluginError
from perijove.domain.ports import AuthenticatorPort, AuthModel
from perijove.domain.users import User
from perijove.kit.aio import SingleFlight
from perijove.kit.clock import Clock

log = logging.getLogger("perijove.refresh")

MAX_REMEMBERED = 50_000


class Freshness(Enum):
    """What is known of a person's sign-in."""

    FRESH = "fresh"
    STALE = "stale"
    """The person has to sign in again."""


class Applier(Protocol):
    """Stores new facts that an authenticator has told (``login.SignIn``)."""

    async def apply(self, model: AuthModel) -> User:
        """The person as stored now."""
        ...


class Refresher:
    """Refreshes people's sign-ins when they are old enough."""

    def __init__(self, authenticator: AuthenticatorPort, sign_in: Applier, clock: Clock) -> None:
        self._authenticator = authenticator
        self._sign_in = sign_in
        self._clock = clock
        self._refreshed: OrderedDict[int, float] = OrderedDict()
        self._flights = SingleFlight()

    def note_sign_in(self, user: User) -> None:
        """The person signed in just now, which is as fresh as can be."""
        self._refreshed.pop(user.id, None)
        self._refreshed[user.id] = self._clock.monotonic()
        while len(self._refreshed) > MAX_REMEMBERED:
            self._refreshed.popitem(last=False)

    def due(self, user: User) -> bool:
        """Whether the last refresh is older than the authenticator's ``refresh_age_s``."""
        age_s = self._authenticator.refresh_age_s
        if age_s <= 0:
            return False
        last = self._refreshed.get(user.id)
        return last is None or self._clock.monotonic() - last > age_s

    async def refresh(
        self, user: User, request: object | None, *, force: bool = False
    ) -> tuple[Freshness, User]:
        """Refresh if it is due, or with ``force`` anyhow; the person as stored then.

        ``request`` is the web request that gave the occasion. A failing plug-in
        counts as stale and is logged.
        """
        if not force and not self.due(user):
            return Freshness.FRESH, user
        return await self._flights.run(user.id, lambda: self._ask(user, request))

    async def _ask(self, user: User, request: object | None) -> tuple[Freshness, User]:
        try:
            answer = await self._authenticator.refresh(user, request)
        except PluginError as error:
            log.error("Cannot refresh %s: %s", user.name, error, exc_info=error)
            return Freshness.STALE, user
        if isinstance(answer, AuthModel):
            if answer.name != user.name:
                log.error(
                    "%s.refresh_user(%s) answered for %s; names do not change by a refresh",
                    self._authenticator.class_name,
                    user.name,
                    answer.name[:80],
                )
                return Freshness.STALE, user
            user = await self._sign_in.apply(answer)
        elif not answer:
            log.warning("The sign-in of %s is no longer good", user.name)
            return Freshness.STALE, user
        self.note_sign_in(user)
        return Freshness.FRESH, user
