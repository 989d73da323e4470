"""What everything stands on: the clock, the database, this replica, the bus."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from perijove.compat.certificates import open_certificates
from perijove.domain.settings import Settings
from perijove.kit.clock import Clock, RealClock
from perijove.kit.tls import Certificates
from perijove.routes.addresses import Addresses
from perijove.store import schema
from perijove.store.engine import Database
from perijove.work.bus import Bus, PostgresqlBus
from perijove.work.lease import ReplicaLease

log = logging.getLogger("JupyterHub")


@dataclass(frozen=True, slots=True)
class Ground:
    """The foundations of one replica."""

    settings: Settings
    clock: Clock
    database: Database
    lease: ReplicaLease
    bus: Bus
    addresses: Addresses
    certificates: Certificates | None


def lay_ground(settings: Settings, on_lease_lost: Callable[[], None]) -> Ground:
    """Open the database and name the replica. Raises ConfigError, SchemaMismatch."""
    database = _open_database(settings)
    lease = ReplicaLease(database, on_lease_lost)
    network = settings.network
    return Ground(
        settings=settings,
        clock=RealClock(),
        database=database,
        lease=lease,
        bus=Bus() if database.sqlite else PostgresqlBus(database.engine, lease.id),
        addresses=Addresses(
            base_url=network.base_url,
            subdomain_host=network.subdomain_host,
            public_url=network.public_url,
            domain_hook=network.subdomain_hook,
        ),
        certificates=open_certificates(settings.internal_tls),
    )


def _open_database(settings: Settings) -> Database:
    wanted = settings.database
    database = Database(wanted.url, wanted.kwargs, echo=wanted.echo)
    if wanted.reset:
        schema.drop_schema(database)
    copy = schema.require_schema(database, upgrade_older=wanted.upgrade)
    if copy is not None:
        log.info("The database was upgraded; the copy made before is %s", copy)
    return database
