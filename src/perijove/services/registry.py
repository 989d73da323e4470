"""Which services there are: those of the configuration, and those made at run time."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from perijove.access.catalogue import INHERIT
from perijove.domain.errors import Conflict, InvalidInput, MethodNotAllowed, NotFound
from perijove.domain.routes import Route
from perijove.domain.settings import ServiceSpec
from perijove.domain.users import Service
from perijove.people.texts import shown, storable
from perijove.people.tokens import Tokens
from perijove.people.users import ADMIN_ROLE
from perijove.routes.addresses import Addresses
from perijove.routes.desired import origin_of
from perijove.services.rows import client_of, save_client, service_of, spec_of, with_roles
from perijove.store import oauth as oauth_rows
from perijove.store import roles as role_rows
from perijove.store import services as service_rows
from perijove.store import tokens as token_rows
from perijove.store.engine import Database

log = logging.getLogger("perijove.services")

ADDED_NOTE = "given with the service"


@dataclass(frozen=True, slots=True)
class Added:
    """A service that was added at run time: its row, and the ``spec`` that would make it."""

    service: Service
    spec: ServiceSpec


class Registry:
    """The services of this hub. ``replica`` is the one that speaks."""

    def __init__(
        self, database: Database, tokens: Tokens, addresses: Addresses, replica: str
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._addresses = addresses
        self._replica = replica

    async def load(self, specs: Sequence[ServiceSpec], also: Collection[str] = ()) -> None:
        """Make the database's services those of the configuration, run-time ones kept.

        ``also`` are names that the configuration gives tokens to without defining them.

        A name belongs to the operator: a service made at run time gives way, with
        its tokens, since the configuration's roles would reach it otherwise. Runs
        before roles are loaded, since roles name services. Raises ConfigError.
        """

        def write(connection: Connection) -> list[int]:
            oauth_rows.ensure_hub_client(connection)
            wanted = {spec.name for spec in specs}
            ended: list[int] = []
            present = service_rows.all_services(connection)
            implied = set(also) - wanted - {s.name for s in present if not s.from_config}
            for service in present:
                if service.from_config and service.name not in wanted | implied:
                    ended += _remove(connection, service)
                elif not service.from_config and service.name in wanted:
                    log.warning(
                        "The service %r made at run time gives way to the one of the configuration",
                        service.name,
                    )
                    ended += _remove(connection, service)
            for spec in specs:
                self._save(connection, spec)
            for name in sorted(implied):
                log.warning(
                    "c.JupyterHub.service_tokens names the service %r, which is not defined in "
                    "c.JupyterHub.services; it is made without anything but its token",
                    name,
                )
                service_rows.save(connection, service_of(ServiceSpec(name)))
            return ended

        self._tokens.forget(await self._database.write(write))

    def _save(self, connection: Connection, spec: ServiceSpec) -> None:
        """The service as configured here; but where it is says the replica that runs it."""
        service = service_of(spec)
        if spec.managed and service_rows.is_held_by_other(connection, spec.name, self._replica):
            running = service_rows.find(connection, spec.name)
            assert running is not None
            service = replace(service, url=running.url)
        service_rows.save(connection, service)

    async def issue_credentials(self, specs: Sequence[ServiceSpec]) -> None:
        """Tokens and OAuth clients of the configuration's services. Raises ConfigError.

        What is made anew for each process of a managed service comes with ``take``.
        """

        def write(connection: Connection) -> None:
            for spec in specs:
                if spec.managed and not spec.api_token:
                    continue
                if spec.api_token:
                    service = service_rows.find(connection, spec.name)
                    assert service is not None
                    self._tokens.adopt_given(connection, spec.api_token, service)
                known = with_roles(connection, spec)
                save_client(connection, self._addresses, known, spec.api_token)

        await self._database.write(write)

    async def all(self) -> list[Service]:
        """Every service."""
        return await self._database.read(service_rows.all_services)

    async def all_with_roles(self) -> list[tuple[Service, tuple[str, ...]]]:
        """Every service with the names of its roles."""

        def read(connection: Connection) -> list[tuple[Service, tuple[str, ...]]]:
            found = service_rows.all_services(connection)
            names = role_rows.names_of(connection, "service", [service.id for service in found])
            return [(service, names.get(service.id, ())) for service in found]

        return await self._database.read(read)

    async def find(self, name: str) -> Service | None:
        """The service of this name."""
        if not storable(name):
            return None
        return await self._database.read(lambda c: service_rows.find(c, name))

    async def roles_of(self, service: Service) -> tuple[str, ...]:
        """The names of a service's roles."""
        names = await self._database.read(lambda c: role_rows.names_of(c, "service", [service.id]))
        return tuple(names.get(service.id, ()))

    # -- at run time ------------------------------------------------------
    async def add(self, spec: ServiceSpec) -> Service:
        """A new external service, kept across restarts; it is checked already.

        Its token, OAuth client and admin role come with it. Raises Conflict when
        the service or its OAuth client exists, InvalidInput for a token that is
        in use.
        """

        def write(connection: Connection) -> tuple[Service, list[int]]:
            if service_rows.find(connection, spec.name) is not None:
                raise Conflict(f"Service {shown([spec.name])} already exists")
            service = service_rows.create(connection, service_of(spec, from_config=False))
            if spec.admin and (role := role_rows.find(connection, ADMIN_ROLE)) is not None:
                role_rows.give(connection, "service", role.id, [service.id])
            ended = self._add_client(connection, spec) if spec.has_oauth else []
            if spec.api_token:
                self._give_token(connection, service, spec.api_token)
            return service, ended

        try:
            service, ended = await self._database.write(write)
        except IntegrityError as error:
            raise Conflict(f"Service {shown([spec.name])} already exists") from error
        self._tokens.forget(ended)
        log.info("Service %s was added", shown([spec.name]))
        return service

    async def added(self, name: str) -> Added:
        """A service that was added at run time, as it is now.

        Raises NotFound, and MethodNotAllowed for services of the configuration.
        """
        if not storable(name):
            raise NotFound

        def read(connection: Connection) -> Added:
            service = _added_now(connection, name)
            client_id = service.oauth_client_id
            client = oauth_rows.find_client(connection, client_id) if client_id else None
            return Added(service, spec_of(self._addresses, service, client))

        return await self._database.read(read)

    async def change(self, before: Added, spec: ServiceSpec) -> Service:
        """Make a service that was added at run time what ``spec`` says; it is checked already.

        Without ``api_token`` its token stays, else the new one ends it. Raises NotFound,
        Conflict when another service has the OAuth client, InvalidInput for a token in use.
        """

        def write(connection: Connection) -> tuple[Service, list[int]]:
            present = _added_now(connection, spec.name)
            service = service_rows.save(connection, service_of(spec, from_config=False))
            role = role_rows.find(connection, ADMIN_ROLE)
            if role is not None and spec.admin != before.service.admin:
                alter = role_rows.give if spec.admin else role_rows.take
                alter(connection, "service", role.id, [service.id])
            secret_hash = _secret_hash(connection, present.oauth_client_id)
            ended = []
            if not spec.has_oauth or present.oauth_client_id not in (None, spec.client_id):
                ended += oauth_rows.remove_clients(connection, [present.oauth_client_id or ""])
            if spec.has_oauth:
                if present.oauth_client_id != spec.client_id:
                    ended += self._add_client(connection, spec)
                client = client_of(self._addresses, spec, spec.api_token)
                if not spec.api_token:
                    client = replace(client, secret_hash=secret_hash)
                oauth_rows.save_client(connection, client)
            if spec.api_token:
                ended += token_rows.remove_noted(connection, service.id, ADDED_NOTE)
                self._give_token(connection, service, spec.api_token)
            return service, ended

        service, ended = await self._database.write(write)
        self._tokens.forget(ended)
        self._tokens.changed(service)
        log.info("Service %s was changed", shown([spec.name]))
        return service

    def _give_token(self, connection: Connection, service: Service, secret: str) -> None:
        if self._tokens.find_now(connection, secret) is not None:
            raise InvalidInput("api_token cannot be used; choose another one")
        self._tokens.create_now(connection, service, (INHERIT,), note=ADDED_NOTE, secret=secret)

    def _add_client(self, connection: Connection, spec: ServiceSpec) -> list[int]:
        """The new service's OAuth client; the ids of tokens that end with an earlier one."""
        owners = [
            service
            for service in service_rows.all_services(connection)
            if service.oauth_client_id == spec.client_id and service.name != spec.name
        ]
        if owners:
            raise Conflict(f"The OAuth client {shown([spec.client_id])} already exists")
        # What an earlier service of that name left behind must not pass to this one.
        ended = oauth_rows.remove_clients(connection, [spec.client_id])
        oauth_rows.save_client(connection, client_of(self._addresses, spec, spec.api_token))
        return ended

    async def remove(self, name: str) -> Service:
        """Delete a service that was added at run time, with tokens and OAuth client.

        Raises NotFound, and MethodNotAllowed for services of the configuration.
        """
        if not storable(name):
            raise NotFound

        def write(connection: Connection) -> tuple[Service, list[int]]:
            service = _added_now(connection, name)
            return service, _remove(connection, service)

        service, ended = await self._database.write(write)
        self._tokens.forget(ended)
        log.info("Service %s was removed", shown([name]))
        return service

    def route_of(self, service: Service) -> Route | None:
        """Where requests for the service go; None when it answers none."""
        if not service.url:
            return None
        spec = self._addresses.service_spec(service.name)
        return Route(spec, origin_of(service.url), {"service": service.name})


def _added_now(connection: Connection, name: str) -> Service:
    """The service of this name, if it was added at run time."""
    service = service_rows.find(connection, name)
    if service is None:
        raise NotFound
    if service.from_config:
        raise MethodNotAllowed(
            f"Service {shown([name])} is defined in the configuration, and stays as it is there"
        )
    return service


def _secret_hash(connection: Connection, client_id: str | None) -> str:
    client = oauth_rows.find_client(connection, client_id) if client_id else None
    return client.secret_hash if client is not None else ""


def _remove(connection: Connection, service: Service) -> list[int]:
    """Delete a service with its OAuth client; the ids of the tokens that end."""
    clients = [service.oauth_client_id] if service.oauth_client_id else []
    ended = oauth_rows.remove_clients(connection, clients)
    ended += token_rows.remove_of_service(connection, service.id)
    service_rows.remove(connection, service.id)
    return ended
