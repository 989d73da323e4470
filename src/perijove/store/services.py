"""Statements about services, as far as they outlive a restart."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from perijove.domain.users import Service
from perijove.store.dialect import utc_now
from perijove.store.prepared import Prepared
from perijove.store.tables import replicas, services

COLUMNS = (
    services.c.id,
    services.c.name,
    services.c.admin,
    services.c.url,
    services.c.command,
    services.c.info,
    services.c.display,
    services.c.from_config,
    services.c.oauth_no_confirm,
    services.c.oauth_client_id,
    services.c.oauth_client_allowed_scopes,
    services.c.cwd,
    services.c.environment,
    services.c.user,
    services.c.timeout_s,
    services.c.pid,
)
_SELECT: Select[Any] = select(*COLUMNS)
_BY_NAME = Prepared(_SELECT.where(services.c.name == bindparam("name")))
_BY_ID = Prepared(_SELECT.where(services.c.id == bindparam("service_id")))


def from_row(row: Sequence[Any]) -> Service:
    """Values of ``COLUMNS``, in that order, as a domain value."""
    (
        service_id,
        name,
        admin,
        url,
        command,
        info,
        display,
        from_config,
        no_confirm,
        client_id,
        scopes,
        cwd,
        environment,
        user,
        timeout_s,
        pid,
    ) = row
    return Service(
        id=service_id,
        name=name,
        admin=admin,
        url=url,
        command=tuple(command or ()),
        info=info or {},
        display=display,
        from_config=from_config,
        oauth_no_confirm=no_confirm,
        oauth_client_id=client_id,
        oauth_client_allowed_scopes=tuple(scopes or ()),
        cwd=cwd,
        environment=environment or {},
        user=user,
        timeout_s=timeout_s,
        pid=pid,
    )


def find(connection: Connection, name: str) -> Service | None:
    """The service of this name."""
    row = _BY_NAME.first(connection, name=name)
    return from_row(row) if row else None


def get(connection: Connection, service_id: int) -> Service | None:
    """The service with this id."""
    row = _BY_ID.first(connection, service_id=service_id)
    return from_row(row) if row else None


def all_services(connection: Connection) -> list[Service]:
    """Every service, oldest first."""
    return [from_row(row) for row in connection.execute(_SELECT.order_by(services.c.id))]


def create(connection: Connection, service: Service) -> Service:
    """A new service, as stored, with its id; the given ``id`` and ``pid`` do not count.

    Raises sqlalchemy's IntegrityError when the name is taken.
    """
    values = {"name": service.name, **_values(service)}
    return from_row(connection.execute(insert(services).values(**values).returning(*COLUMNS)).one())


def save(connection: Connection, service: Service) -> Service:
    """``create``, or overwrite the service of the same name: who runs it goes on doing so."""
    row = connection.execute(
        update(services)
        .where(services.c.name == service.name)
        .values(**_values(service))
        .returning(*COLUMNS)
    ).first()
    return create(connection, service) if row is None else from_row(row)


def _values(service: Service) -> dict[str, Any]:
    return {
        "admin": service.admin,
        "url": service.url,
        "command": list(service.command),
        "info": service.info,
        "display": service.display,
        "from_config": service.from_config,
        "oauth_no_confirm": service.oauth_no_confirm,
        "oauth_client_id": service.oauth_client_id,
        "oauth_client_allowed_scopes": list(service.oauth_client_allowed_scopes),
        "cwd": service.cwd,
        "environment": service.environment,
        "user": service.user,
        "timeout_s": service.timeout_s,
    }


_HELD = exists().where(replicas.c.id == services.c.lease_owner, replicas.c.lease_until > utc_now())
"""The replica that runs the service lives."""


def is_held_by_other(connection: Connection, name: str, replica: str) -> bool:
    """Whether another living replica runs this managed service."""
    statement = select(services.c.id).where(
        services.c.name == name, services.c.lease_owner != replica, _HELD
    )
    return connection.execute(statement).first() is not None


def take(connection: Connection, name: str, replica: str, *, alone: bool) -> bool:
    """Make ``replica`` the one that runs this managed service; False if another living one does.

    ``alone``: there can be no other, whatever the row says.
    """
    free = or_(services.c.lease_owner.is_(None), services.c.lease_owner == replica, ~_HELD)
    statement = update(services).where(services.c.name == name).values(lease_owner=replica)
    return connection.execute(statement if alone else statement.where(free)).rowcount == 1


def process_of(connection: Connection, name: str) -> str:
    """The mark of the process that a managed service was last known to run as; may be empty."""
    return (
        connection.execute(select(services.c.process).where(services.c.name == name)).scalar() or ""
    )


def set_process(
    connection: Connection, name: str, replica: str, pid: int | None, mark: str
) -> None:
    """Remember the process of a managed service that this replica runs."""
    connection.execute(
        update(services)
        .where(services.c.name == name, services.c.lease_owner == replica)
        .values(pid=pid, process=mark)
    )


def release(connection: Connection, name: str, replica: str) -> None:
    """This replica does not run the service any more."""
    connection.execute(
        update(services)
        .where(services.c.name == name, services.c.lease_owner == replica)
        .values(pid=None, process=None, lease_owner=None)
    )


def set_admin(connection: Connection, service_ids: Collection[int], admin: bool) -> None:
    """Set the admin flag of these services."""
    connection.execute(
        update(services).where(services.c.id.in_(list(service_ids))).values(admin=admin)
    )


def remove(connection: Connection, service_id: int) -> None:
    """Delete a service with its tokens and roles."""
    connection.execute(delete(services).where(services.c.id == service_id))
