"""Which services there are: those of the configuration, and those made at run time."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from perijove.domain.errors import ConfigError, Conflict, InvalidInput, MethodNotAllowed, NotFound
from perijove.domain.routes import Route
from perijove.domain.settings import ServiceSpec
from perijove.domain.tokens import OAuthClient
from perijove.domain.users import Service
from perijove.kit.crypto import hash_token
from perijove.kit.ids import new_token
from perijove.people.texts import shown, storable
from perijove.people.tokens import Tokens
from perijove.people.users import ADMIN_ROLE
from perijove.routes.addresses import Addresses
from perijove.routes.desired import origin_of
from perijove.store import oauth as oauth_rows
from perijove.store import roles as role_rows
from perijove.store import services as service_rows
from perijove.store import tokens as token_rows
from perijove.store.engine import Database

log = logging.getLogger("perijove.services")

STARTUP_NOTE = "generated at startup"
ADDED_NOTE = "given with the service"


class Registry:
    """The services of this hub."""

    def __init__(self, database: Database, tokens: Tokens, addresses: Addresses) -> None:
        self._database = database
        self._tokens = tokens
        self._addresses = addresses
        self.secrets: dict[str, str] = {}

    async def load(self, specs: Sequence[ServiceSpec]) -> None:
        """Make the database's services those of the configuration, run-time ones kept.

        A name belongs to the operator: a service made at run time gives way, with
        its tokens, since the configuration's roles would reach it otherwise. Runs
        before roles are loaded, since roles name services. Raises ConfigError.
        """

        def write(connection: Connection) -> list[int]:
            oauth_rows.ensure_hub_client(connection)
            wanted = {spec.name for spec in specs}
            ended: list[int] = []
            for service in service_rows.all_services(connection):
                if service.from_config and service.name not in wanted:
                    service_rows.remove(connection, service.id)
                elif not service.from_config and service.name in wanted:
                    log.warning(
                        "The service %r made at run time gives way to the one of the configuration",
                        service.name,
                    )
                    ended += _remove(connection, service)
            for spec in specs:
                service_rows.save(connection, self._service_of(spec))
            return ended

        self._tokens.forget(await self._database.write(write))

    @staticmethod
    def _service_of(spec: ServiceSpec, *, from_config: bool = True) -> Service:
        return Service(
            id=0,
            name=spec.name,
            admin=spec.admin,
            url=spec.url,
            command=tuple(spec.command),
            info=dict(spec.info),
            display=spec.display,
            from_config=from_config,
            oauth_no_confirm=spec.oauth_no_confirm,
            oauth_client_id=spec.client_id if spec.has_oauth else None,
            oauth_client_allowed_scopes=tuple(spec.oauth_client_allowed_scopes),
            cwd=spec.cwd,
            environment=dict(spec.environment),
            user=spec.user,
            timeout_s=spec.timeout_s,
        )

    async def issue_credentials(self, specs: Sequence[ServiceSpec]) -> None:
        """Tokens and OAuth clients of the configuration's services. Raises ConfigError."""

        def write(connection: Connection) -> None:
            for spec in specs:
                service = service_rows.find(connection, spec.name)
                assert service is not None
                secret = spec.api_token
                if secret:
                    self._tokens.adopt_given(connection, secret, service)
                elif spec.managed:
                    secret = new_token()
                    self._tokens.create_now(
                        connection, service, ("inherit",), note=STARTUP_NOTE, secret=secret
                    )
                if secret:
                    self.secrets[spec.name] = secret
                if spec.has_oauth:
                    _part_with_client(connection, spec)
                    oauth_rows.save_client(connection, self._client_of(spec, secret))

        await self._database.write(write)

    def _client_of(self, spec: ServiceSpec, secret: str) -> OAuthClient:
        redirect = spec.oauth_redirect_uri
        if not redirect and spec.url:
            host = self._addresses.service_host(spec.name)
            path = self._addresses.service_path(spec.name)
            redirect = f"{self._addresses.origin_of(host)}{path}oauth_callback"
        if not redirect:
            raise ConfigError(
                f"c.JupyterHub.services: the service {spec.name!r} signs people in (OAuth) but "
                "has no url, so it needs oauth_redirect_uri."
            )
        if self._addresses.public_origin.startswith("https://") and not _is_private(redirect):
            log.warning(
                "Codes for the service %r go over an unencrypted connection: its "
                "oauth_redirect_uri begins with http:// (RFC 9700, section 2.6)",
                spec.name,
            )
        access = f"access:services!service={spec.name}"
        return OAuthClient(
            identifier=spec.client_id,
            description=f"Service {spec.name}",
            secret_hash=hash_token(secret) if secret else "",
            redirect_uri=redirect,
            allowed_scopes=tuple(dict.fromkeys([*spec.oauth_client_allowed_scopes, access])),
        )

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

    async def note_pid(self, name: str, pid: int | None) -> None:
        """Remember the process of a managed service."""

        def write(connection: Connection) -> None:
            service = service_rows.find(connection, name)
            if service is not None:
                service_rows.set_pid(connection, service.id, pid)

        await self._database.write(write)

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
            service = service_rows.create(connection, self._service_of(spec, from_config=False))
            if spec.admin and (role := role_rows.find(connection, ADMIN_ROLE)) is not None:
                role_rows.give(connection, "service", role.id, [service.id])
            ended = self._add_client(connection, spec) if spec.has_oauth else []
            if spec.api_token:
                if self._tokens.find_now(connection, spec.api_token) is not None:
                    raise InvalidInput("api_token cannot be used; choose another one")
                self._tokens.create_now(
                    connection, service, ("inherit",), note=ADDED_NOTE, secret=spec.api_token
                )
            return service, ended

        try:
            service, ended = await self._database.write(write)
        except IntegrityError as error:
            raise Conflict(f"Service {shown([spec.name])} already exists") from error
        self._tokens.forget(ended)
        log.info("Service %s was added", shown([spec.name]))
        return service

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
        oauth_rows.save_client(connection, self._client_of(spec, spec.api_token))
        return ended

    async def remove(self, name: str) -> Service:
        """Delete a service that was added at run time, with tokens and OAuth client.

        Raises NotFound, and MethodNotAllowed for services of the configuration.
        """
        if not storable(name):
            raise NotFound

        def write(connection: Connection) -> tuple[Service, list[int]]:
            service = service_rows.find(connection, name)
            if service is None:
                raise NotFound
            if service.from_config:
                raise MethodNotAllowed(
                    f"Service {shown([name])} is defined in the configuration, and stays"
                )
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


def _is_private(redirect_uri: str) -> bool:
    """Whether nobody on the way can read what a browser carries to this URI."""
    parts = urlsplit(redirect_uri)
    return parts.scheme != "http" or parts.hostname in {"127.0.0.1", "::1", "localhost"}


def _part_with_client(connection: Connection, spec: ServiceSpec) -> None:
    """An OAuth client belongs to one service: the operator's wins over those of run time."""
    for other in service_rows.all_services(connection):
        if other.oauth_client_id == spec.client_id and other.name != spec.name:
            log.error(
                "The service %r is no OAuth client any more: %r of the configuration has its id",
                other.name,
                spec.name,
            )
            service_rows.save(connection, replace(other, oauth_client_id=None))


def _remove(connection: Connection, service: Service) -> list[int]:
    """Delete a service with its OAuth client; the ids of the tokens that end."""
    clients = [service.oauth_client_id] if service.oauth_client_id else []
    ended = oauth_rows.remove_clients(connection, clients)
    ended += token_rows.remove_of_service(connection, service.id)
    service_rows.remove(connection, service.id)
    return ended
