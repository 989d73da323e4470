"""A service of the configuration, or of a request, as rows: itself and its OAuth client."""

import logging
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import Connection

from perijove.access.errors import AccessError
from perijove.access.roles import scopes_of_roles
from perijove.domain.errors import ConfigError
from perijove.domain.settings import ServiceSpec
from perijove.domain.tokens import OAuthClient
from perijove.domain.users import Service
from perijove.kit.crypto import hash_token
from perijove.routes.addresses import Addresses
from perijove.store import oauth as oauth_rows
from perijove.store import roles as role_rows
from perijove.store import services as service_rows

log = logging.getLogger("perijove.services")


def service_of(spec: ServiceSpec, *, from_config: bool = True) -> Service:
    """The row of a service."""
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


def spec_of(addresses: Addresses, service: Service, client: OAuthClient | None) -> ServiceSpec:
    """What would make this service and its OAuth client, its token left out."""
    spec = ServiceSpec(
        service.name,
        url=service.url,
        command=service.command,
        admin=service.admin,
        display=service.display,
        info=service.info,
        cwd=service.cwd,
        user=service.user,
        environment=service.environment,
        timeout_s=service.timeout_s,
        oauth_no_confirm=service.oauth_no_confirm,
        oauth_client_allowed_scopes=service.oauth_client_allowed_scopes,
    )
    if client is not None and client.identifier != spec.client_id:
        spec = replace(spec, oauth_client_id=client.identifier)
    if client is not None and client.redirect_uri != _own_redirect(addresses, spec):
        spec = replace(spec, oauth_redirect_uri=client.redirect_uri)
    return spec


def _own_redirect(addresses: Addresses, spec: ServiceSpec) -> str:
    """Where people come back to when the service itself takes them; empty without a URL."""
    if not spec.url:
        return ""
    host, path = addresses.service_host(spec.name), addresses.service_path(spec.name)
    return f"{addresses.origin_of(host)}{path}oauth_callback"


def with_roles(connection: Connection, spec: ServiceSpec) -> ServiceSpec:
    """The service with the scopes of its ``oauth_roles``, unless it names scopes.

    Raises ConfigError for a role that does not exist.
    """
    if not spec.oauth_roles:
        return spec
    if spec.oauth_client_allowed_scopes:
        log.warning(
            "The service %r has oauth_client_allowed_scopes; its oauth_roles do not count",
            spec.name,
        )
        return spec
    known = {role.name: role.scopes for role in role_rows.all_roles(connection).values()}
    try:
        scopes = scopes_of_roles(spec.oauth_roles, known)
    except AccessError as error:
        raise ConfigError(
            f"c.JupyterHub.services: oauth_roles of {spec.name!r}: {error.message}"
        ) from error
    return replace(spec, oauth_client_allowed_scopes=tuple(scopes))


def save_client(
    connection: Connection, addresses: Addresses, spec: ServiceSpec, secret: str
) -> None:
    """Store the OAuth client of a service, if it has one. Raises ConfigError."""
    if spec.has_oauth:
        _part_with_client(connection, spec)
        oauth_rows.save_client(connection, client_of(addresses, spec, secret))


def client_of(addresses: Addresses, spec: ServiceSpec, secret: str) -> OAuthClient:
    """The OAuth client of a service. Raises ConfigError when nobody could come back from it."""
    redirect = spec.oauth_redirect_uri or _own_redirect(addresses, spec)
    if not redirect:
        raise ConfigError(
            f"c.JupyterHub.services: the service {spec.name!r} signs people in (OAuth) but "
            "has no url, so it needs oauth_redirect_uri."
        )
    if addresses.public_origin.startswith("https://") and not _is_private(redirect):
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
