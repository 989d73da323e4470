"""What may be given to others when a server is shared.

Whatever is shared is limited to that one server, so only scopes that can be
limited to a server can be shared.
"""

from collections.abc import Collection

from perijove.access.catalogue import CATALOGUE, Catalogue
from perijove.access.decide import Grant
from perijove.access.errors import ScopeInvalid, shown
from perijove.access.expand import Client, expand
from perijove.access.grammar import read_scope
from perijove.access.intersect import NOBODY, Members, missing
from perijove.access.tokens import access_scopes


def scopes_to_share(
    requested: Collection[str] | None, server: Client, catalogue: Catalogue = CATALOGUE
) -> tuple[str, ...]:
    """The scopes of a share or share code, each limited to ``server``, in order.

    None or an empty list asks for access alone. Raises ScopeNotFound for a scope
    that does not exist, ScopeInvalid for one that cannot be limited to a server
    or is limited to something else.
    """
    if not requested:
        return tuple(access_scopes(server))
    return tuple(dict.fromkeys(_limited(raw, server, catalogue) for raw in requested))


def _limited(raw: str, server: Client, catalogue: Catalogue) -> str:
    expr = read_scope(raw, catalogue)
    if "server" not in catalogue.get(expr.base).filters:
        raise ScopeInvalid(raw, f"scope {shown(raw)} cannot be shared: it is not about a server")
    if expr.kind is not None and (expr.kind, expr.value) != ("server", server.full_name):
        raise ScopeInvalid(
            raw,
            f"scope {shown(raw)} cannot be shared: use !server={server.full_name}",
        )
    return f"{expr.base}!server={server.full_name}"


def missing_to_share(
    scopes: Collection[str],
    grant: Grant,
    members: Members = NOBODY,
    catalogue: Catalogue = CATALOGUE,
) -> tuple[str, ...]:
    """The scopes that somebody with this grant cannot share, for not holding them."""
    return missing(expand(scopes, catalogue=catalogue).scopes, grant.scopes, members)
