"""What plug-ins import as ``jupyterhub.scopes``."""

from collections.abc import Collection, Iterable
from typing import Any

from perijove.access.catalogue import CATALOGUE
from perijove.access.decide import Target, reaches
from perijove.access.expand import Owner, expand
from perijove.access.grammar import ALL, parse_scopes
from perijove.compat.api import needs_scope

__all__ = ["expand_scopes", "has_scope", "needs_scope", "parse_scopes", "scope_definitions"]

scope_definitions = {
    name: {"description": scope.description, "subscopes": list(scope.subscopes)}
    for name, scope in CATALOGUE.scopes.items()
}
"""Every scope with its description and the scopes that it contains."""


def expand_scopes(
    scopes: Iterable[str], owner: Any = None, oauth_client: Any = None
) -> frozenset[str]:
    """All that these scopes allow ``owner`` (an object with a ``name``)."""
    kind = "service" if getattr(owner, "kind", "user") == "service" else "user"
    person = Owner(kind, owner.name) if owner is not None else None  # type: ignore[arg-type]
    return expand(scopes, person).scopes


def has_scope(
    scope: str, have_scopes: Collection[str], *, post_filter: bool = False, db: Any = None
) -> bool:
    """Whether ``have_scopes`` (expanded) contain ``scope``, which may have a filter.

    ``post_filter``: a scope without filter counts when it is held for some targets.
    """
    name, separator, wanted = scope.partition("!")
    held = parse_scopes(frozenset(have_scopes)).get(name)
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
