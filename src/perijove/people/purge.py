"""Deleting what is over: tokens, sign-ins, OAuth codes, shares and their codes.

None of these work past their end, so this is housekeeping: one replica does it
every now and then (``work.duties``), a bounded number of rows at a time.
"""

import logging
from functools import partial

from perijove.kit.clock import Clock
from perijove.store import purging
from perijove.store.engine import Database

log = logging.getLogger("perijove.purge")

INTERVAL_S = 300.0
"""How often it is worth doing (seconds)."""

BATCH = 500
"""Rows that one transaction deletes at most."""

MOST_BATCHES = 400
"""Transactions of one kind in one go; what is left then waits for the next one."""


async def purge_expired(database: Database, clock: Clock) -> int:
    """Delete everything that is over; how many rows. Raises StoreUnavailable."""
    now = clock.now()
    gone = 0
    for delete in purging.EXPIRED:
        for _ in range(MOST_BATCHES):
            deleted = await database.write(partial(delete, now=now, limit=BATCH))
            gone += deleted
            if deleted < BATCH:
                break
    if gone:
        log.debug("Deleted %d expired tokens, sign-ins, codes and shares", gone)
    return gone
