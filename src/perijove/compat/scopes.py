"""What plug-ins import as ``jupyterhub.scopes``, in terms of our ``access`` room.

Objects that are asked about are rows (``compat.orm``) or what plug-ins see of
people and services; a name and a kind are all that is needed of them.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from perijove.access.catalogue import CATALOGUE
from perijove.access.decide import Target, reaches
from perijove.access.describe import describe_scopes
from perijove.access.errors import ScopeNotFound
from perijove.access.expand import Client, Owner, expand, scopes_of_service, scopes_of_user
from perijove.access.grammar import ALL, parse_scopes, unparse
from perijove.access.tokens import access_scopes as access_scopes_of
from perijove.access.tokens import identify_scopes as identify_scopes_of
from perijove.access.tokens import scopes_of_token
from perijove.domain.tokens import HUB_CLIENT

__all__ = [
    "Scope",
    "ScopeNotFound",
    "access_scopes",
    "check_scope_filter",
    "describe_raw_scopes",
    "expand_scopes",
    "get_scopes_for",
    "has_scope",
    "identify_scopes",
    "parse_scopes",
    "reduce_scopes",
    "roles_to_scopes",
    "scope_definitions",
    "target_of",
    "unparse_scopes",
]

Scope = type(ALL)
"""``Scope.ALL`` stands for a scope without any filter in parsed scopes."""

unparse_scopes = unparse

scope_definitions: dict[str, dict[str, Any]] = {
    name: {"description": scope.description, "subscopes": list(scope.subscopes)}
    for name, scope in CATALOGUE.scopes.items()
}
"""Every scope with its description and the scopes that it contains."""


def _owner(holder: Any) -> Owner | None:
    if holder is None:
        return None
    is_service = type(holder).__name__ == "Service" or getattr(holder, "kind", "") == "service"
    return Owner("service" if is_service else "user", holder.name)


def _client(oauth_client: Any) -> Client | None:
    if oauth_client is None or oauth_client.identifier == HUB_CLIENT:
        return None
    if (spawner := oauth_client.spawner) is not None:
        return Client("server", spawner.name, spawner.user.name)
    service = oauth_client.service
    return Client("service", service.name) if service is not None else None


def expand_scopes(
    scopes: Iterable[str], owner: Any = None, oauth_client: Any = None
) -> frozenset[str]:
    """All that these scopes allow ``owner``, when used through ``oauth_client``."""
    return expand(scopes, _owner(owner), _client(oauth_client)).scopes


def reduce_scopes(expanded_scopes: Iterable[str]) -> frozenset[str]:
    """The same without scopes that an unfiltered one of them contains."""
    return unparse(parse_scopes(frozenset(expanded_scopes)))


def has_scope(
    scope: str,
    have_scopes: Collection[str] | Mapping[str, Any],
    *,
    post_filter: bool = False,
    db: Any = None,
) -> bool:
    """Whether ``have_scopes`` (expanded, or parsed) contain ``scope``, which may have a filter.

    ``post_filter``: a scope without filter counts when it is held for some targets.
    """
    name, separator, wanted = scope.partition("!")
    parsed = have_scopes if isinstance(have_scopes, Mapping) else parse_scopes(have_scopes)
    held = parsed.get(name)
    if held is None or held is ALL:
        return held is ALL
    if not separator:
        return post_filter
    kind, _, value = wanted.partition("=")
    user, _, server = value.partition("/")
    targets = {
        "user": Target.of_user(value),
        "server": Target.of_server(user, server),
        "group": Target.of_group(value),
        "service": Target.of_service(value),
    }
    return kind in targets and reaches(held, targets[kind])


def target_of(resource: Any, kind: str) -> Target:
    """What an object stands for; ``kind`` is ``user``, ``server``, ``group`` or ``service``."""
    if kind == "server":
        groups = frozenset(group.name for group in getattr(resource.user, "groups", ()))
        return Target.of_server(resource.user.name, resource.name, groups)
    if kind == "user":
        groups = frozenset(group.name for group in getattr(resource, "groups", ()))
        return Target.of_user(resource.name, groups)
    if kind == "group":
        return Target.of_group(resource.name)
    if kind == "service":
        return Target.of_service(resource.name)
    raise ValueError(f"scopes do not reach a {kind!r}")


def check_scope_filter(sub_scope: Any, orm_resource: Any, kind: str) -> bool:
    """Whether a scope with these filters (a value of parsed scopes) reaches the resource."""
    return sub_scope is ALL or reaches(sub_scope, target_of(orm_resource, kind))


def identify_scopes(obj: Any = None) -> frozenset[str]:
    """The scopes with which a token tells whose it is; without ``obj``, not yet filled in."""
    owner = _owner(obj)
    if owner is None:
        return frozenset({"read:users:name!user", "read:users:groups!user"})
    return identify_scopes_of(owner)


def access_scopes(
    oauth_client: Any = None, *, spawner: Any = None, service: Any = None
) -> frozenset[str]:
    """The scope that opens a server or service."""
    if spawner is not None:
        client: Client | None = Client("server", spawner.name, spawner.user.name)
    elif service is not None:
        client = Client("service", service.name)
    else:
        client = _client(oauth_client)
    return access_scopes_of(client) if client is not None else frozenset()


def roles_to_scopes(roles: Iterable[Any]) -> set[str]:
    """The scopes of these roles, as they are written there."""
    return {scope for role in roles for scope in role.scopes}


def get_scopes_for(orm_object: Any) -> frozenset[str]:
    """All that a stored user, service or token may do now."""
    row = getattr(orm_object, "orm_user", orm_object)
    if hasattr(row, "hashed"):
        return _of_token(row)
    roles = roles_to_scopes(row.roles)
    if _is_service(row):
        return scopes_of_service(row.name, roles).scopes
    roles |= {scope for group in row.groups for scope in roles_to_scopes(group.roles)}
    shared = {scope for share in row.all_shared_with_me for scope in share.scopes}
    return scopes_of_user(row.name, roles, shared).scopes


def _is_service(row: Any) -> bool:
    owner = _owner(row)
    return owner is not None and owner.kind == "service"


def _of_token(token: Any) -> frozenset[str]:
    owner = _owner(token.owner)
    assert owner is not None
    held = get_scopes_for(token.owner)
    return scopes_of_token(token.scopes, owner, held, _client(token.oauth_client)).scopes


def describe_raw_scopes(
    raw_scopes: Iterable[str], username: str | None = None
) -> list[dict[str, str]]:
    """These scopes in words: ``scope``, ``description`` and ``filter``."""
    owner = Owner("user", username) if username else None
    return [
        {"scope": text.scope, "description": text.description, "filter": text.filter}
        for text in describe_scopes(raw_scopes, owner)
    ]
