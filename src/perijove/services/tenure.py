"""Which replica runs a managed service: one, for as long as its lease is renewed.

A service is held like a person's server: its row names the replica, and that
replica's one heartbeat keeps it (``work.lease``). When the replica dies, or ends
in good order, another one takes the service; the route then leads to where that
one's configuration says the service is.
"""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from perijove.access.catalogue import INHERIT
from perijove.domain.settings import ServiceSpec
from perijove.people.tokens import Tokens
from perijove.routes.addresses import Addresses
from perijove.services.rows import save_client, service_of, with_roles
from perijove.store import services as service_rows
from perijove.store import tokens as token_rows
from perijove.store.engine import Database
from perijove.work.lease import ReplicaLease, process_mark

STARTUP_NOTE = "generated at startup"


@dataclass(frozen=True, slots=True)
class Taken:
    """A managed service that this replica is to run.

    ``spec`` has all scopes of its OAuth client; ``secret`` is its token; ``earlier``
    marks the process that it last ran as, which may live on after a crash of the hub.
    """

    spec: ServiceSpec
    secret: str = field(repr=False)
    earlier: str


class Tenure:
    """What this replica runs."""

    def __init__(
        self, database: Database, tokens: Tokens, addresses: Addresses, lease: ReplicaLease
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._addresses = addresses
        self._lease = lease

    @property
    def trusted(self) -> bool:
        """Whether no other replica can have taken over."""
        return self._lease.trusted

    async def take(self, spec: ServiceSpec) -> Taken | None:
        """Become the replica that runs this service; None if another living one does.

        It is then reached as this replica's configuration says, with a token of its
        own; tokens of earlier processes end. Raises StoreUnavailable.
        """

        def write(connection: Connection) -> tuple[Taken, list[int]] | None:
            earlier = service_rows.process_of(connection, spec.name)
            alone = self._database.sqlite
            if not service_rows.take(connection, spec.name, self._lease.id, alone=alone):
                return None
            known = with_roles(connection, spec)
            service = service_rows.save(connection, service_of(known))
            secret, ended = spec.api_token, []
            if not secret:
                ended = token_rows.remove_noted(connection, service.id, STARTUP_NOTE)
                made = self._tokens.create_now(connection, service, (INHERIT,), note=STARTUP_NOTE)
                secret = made.secret
            save_client(connection, self._addresses, known, secret)
            return Taken(known, secret, earlier), ended

        done = await self._database.write(write)
        if done is None:
            return None
        taken, ended = done
        self._tokens.forget(ended)
        return taken

    async def note_process(self, name: str, pid: int | None) -> None:
        """Remember the process of a managed service that this replica runs."""
        mark = process_mark(pid) if pid is not None else ""
        await self._database.write(
            lambda c: service_rows.set_process(c, name, self._lease.id, pid, mark)
        )

    async def release(self, name: str) -> None:
        """Leave a managed service to the other replicas."""
        await self._database.write(lambda c: service_rows.release(c, name, self._lease.id))
