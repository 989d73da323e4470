"""Ends sessions that nobody uses, or that are old: the user goes, and all with it."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from launcher.settings import IDLE_S, MAX_AGE_S, VISITOR
from perijove.wire.client import HubClient, HubError, NotFound
from perijove.wire.models import User

log = logging.getLogger("uvicorn.error")


def is_over(user: User, now: datetime) -> bool:
    """Whether a visitor's session has ended, or never came to be."""
    if not (user.name or "").startswith(VISITOR) or user.created is None:
        return False
    used = max(moment for moment in (user.created, user.last_activity) if moment is not None)
    for server in (user.servers or {}).values():
        if server.pending:
            return False
        used = max(moment for moment in (used, server.started, server.last_activity) if moment)
    idle, old = now - used, now - user.created
    return idle >= timedelta(seconds=IDLE_S) or old >= timedelta(seconds=MAX_AGE_S)


async def cull(hub: HubClient) -> None:
    """Look once."""
    now = datetime.now(UTC)
    for name in [user.name async for user in hub.users() if is_over(user, now)]:
        try:
            await hub.delete_user(name or "", wait_s=0)
            log.info("the session of %s has ended", name)
        except NotFound:
            continue


async def keep_culling(hub: HubClient) -> None:
    """Look every few seconds, until cancelled."""
    while True:
        await asyncio.sleep(min(10.0, IDLE_S / 4))
        try:
            await cull(hub)
        except HubError as error:
            log.warning("sessions could not be looked at: %s", error)
