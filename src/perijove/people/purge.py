"""Deleting what is over: tokens, sign-ins, OAuth codes, shares and their codes.

None of these work past their end, so this is housekeeping: one replica does it
every now and then (``work.duties``).
"""

import logging

from sqlalchemy import Connection

from perijove.kit.clock import Clock
from perijove.store import oauth as oauth_store
from perijove.store import sessions as session_store
from perijove.store import shares as share_store
from perijove.store import tokens as token_store
from perijove.store.engine import Database

log = logging.getLogger("perijove.purge")

INTERVAL_S = 300.0
"""How often it is worth doing (seconds)."""


async def purge_expired(database: Database, clock: Clock) -> int:
    """Delete everything that is over; how many rows. Raises StoreUnavailable."""
    now = clock.now()

    def purge(connection: Connection) -> int:
        return (
            token_store.purge(connection, now)
            + session_store.purge(connection, now)
            + oauth_store.purge_codes(connection, now)
            + share_store.purge(connection, now)
        )

    gone = await database.write(purge)
    if gone:
        log.debug("Deleted %d expired tokens, sign-ins, codes and shares", gone)
    return gone
