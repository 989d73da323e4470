"""What a service made at run time may be.

It comes from a program, not from the operator, so more is asked than of a
definition in the configuration: it runs elsewhere, every text is bounded, and
whoever makes it cannot give it more than they hold.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from perijove.access.catalogue import DEFAULT_ROLES, INHERIT, SELF, SELF_SCOPES, Catalogue
from perijove.access.decide import Grant
from perijove.access.errors import NOT_HELD, AccessError
from perijove.access.expand import Client, Owner, expand
from perijove.access.grammar import read_scopes
from perijove.access.intersect import missing
from perijove.domain.errors import InvalidInput
from perijove.domain.settings import ServiceSpec
from perijove.kit.crypto import MAX_TOKEN_LENGTH
from perijove.people.grants import Grants
from perijove.people.texts import MAX_NAME_LENGTH, checked_text, shown
from perijove.people.tokens import MIN_TOKEN_LENGTH

CLIENT_PREFIX = "service-"
_PERCENT_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_LENGTHS = {
    "url": 2047,
    "cwd": 4095,
    "user": MAX_NAME_LENGTH,
    "oauth_client_id": MAX_NAME_LENGTH,
    "oauth_redirect_uri": 1023,
}
MAX_ENVIRONMENT = 1000
"""Variables of one service."""


def read_addition(name: str, wanted: Mapping[str, Any]) -> ServiceSpec:
    """A service from the values of a request, whose types are right already.

    Raises InvalidInput that names what cannot be.
    """
    check_name(name)
    values = {key: value for key, value in wanted.items() if value is not None}
    if values.pop("command", None):
        raise InvalidInput(
            "command: a service that the hub runs can only be defined in the configuration"
        )
    for key, length in _LENGTHS.items():
        if key in values:
            checked_text(values[key], key, length)
    for key in ("url", "oauth_redirect_uri"):
        if values.get(key):
            _check_url(key, values[key])
    if "api_token" in values:
        _check_token(values["api_token"])
    if len(values.get("environment", {})) > MAX_ENVIRONMENT:
        raise InvalidInput(f"environment must have at most {MAX_ENVIRONMENT} variables")
    scopes = values.get("oauth_client_allowed_scopes")
    if scopes is not None:
        values["oauth_client_allowed_scopes"] = tuple(dict.fromkeys(scopes))
    spec = ServiceSpec(name=name, **values)
    _check_oauth(spec)
    return spec


def values_of(spec: ServiceSpec) -> dict[str, Any]:
    """The values of a request that would make this service."""
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    for key in ("name", "timeout_s", "command", "api_token", "oauth_roles"):
        del values[key]
    return {key: value for key, value in values.items() if value != ""}


def check_name(name: str) -> None:
    """Raises InvalidInput unless a service can be called so."""
    checked_text(name, "The name of a service", MAX_NAME_LENGTH)
    possible = name.strip(".") and name == name.strip() and name.isprintable()
    if not possible or "/" in name or _PERCENT_ESCAPE.search(name):
        raise InvalidInput(
            f"Invalid name of a service: {shown([name])}. It is part of URLs, so it cannot be "
            "empty or dots only, begin or end with a space, or hold slashes, percent escapes or "
            "control characters"
        )


def _check_url(key: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    is_url = host and port != 0 and parts.scheme in ("http", "https")
    # A redirect URI may be a path on the hub's own host.
    is_path = key == "oauth_redirect_uri" and url.startswith("/") and not url.startswith("//")
    if not (is_url or is_path) or not url.isprintable() or " " in url:
        raise InvalidInput(f"{key} must be a URL such as http://127.0.0.1:9000")


def _check_token(token: str) -> None:
    if not MIN_TOKEN_LENGTH <= len(token) <= MAX_TOKEN_LENGTH or not token.isprintable():
        raise InvalidInput(
            f"api_token must have {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} printable characters"
        )


def _check_oauth(spec: ServiceSpec) -> None:
    if spec.oauth_client_id and not spec.oauth_client_id.startswith(CLIENT_PREFIX):
        raise InvalidInput(f"oauth_client_id must begin with {CLIENT_PREFIX!r}")
    if spec.has_oauth and not spec.url and not spec.oauth_redirect_uri:
        raise InvalidInput("An OAuth client without a url needs oauth_redirect_uri")


async def require_held(grants: Grants, spec: ServiceSpec, maker: Owner, held: Grant) -> None:
    """Raises InvalidInput when the service would get more than its maker holds."""
    catalogue = grants.catalogue
    raws = list(spec.oauth_client_allowed_scopes)
    try:
        read_scopes(raws, catalogue)
    except AccessError as error:
        raise InvalidInput(f"oauth_client_allowed_scopes: {error.message}") from error
    client = Client("service", spec.name)
    wanted = frozenset[str]().union(*(_meant(raw, maker, client, catalogue) for raw in raws))
    if spec.admin:
        wanted |= _all_of(DEFAULT_ROLES["admin"].scopes, catalogue)
    lacking = missing(wanted, held.scopes, await grants.members(wanted, held.scopes))
    if lacking:
        listed = f"[{', '.join(lacking[:20])}{', ...' if len(lacking) > 20 else ''}]"
        raise InvalidInput(
            NOT_HELD.format(scopes=listed, kind=maker.kind.capitalize(), name=maker.name)
        )


def _meant(raw: str, maker: Owner, client: Client, catalogue: Catalogue) -> frozenset[str]:
    """What the maker must hold for the service to be allowed this scope.

    A scope that has no meaning for the maker, such as ``self`` for a service, will
    mean something for whoever signs in; so it takes the same scopes over anybody.
    """
    found = expand((raw,), maker, client, catalogue).scopes
    if found:
        return found
    if raw == SELF:
        return _all_of(SELF_SCOPES, catalogue)
    if raw == INHERIT:
        return _all_of(DEFAULT_ROLES["admin"].scopes, catalogue)
    return _all_of((raw.partition("!")[0],), catalogue)


def _all_of(scopes: Sequence[str], catalogue: Catalogue) -> frozenset[str]:
    return expand(scopes, None, None, catalogue).scopes
