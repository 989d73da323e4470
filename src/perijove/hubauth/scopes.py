"""May a visitor in? Compares the scopes that the hub lists with those that open a door.

The hub lists concrete scopes (groups are resolved there), so only this much of
the hierarchy matters here: an unfiltered scope covers everything, and a user
covers all servers of that user.
"""

from collections.abc import Iterable


def covers(held: str, needed: str) -> bool:
    """Whether holding the scope ``held`` grants ``needed``."""
    held_base, _, held_filter = held.partition("!")
    needed_base, _, needed_filter = needed.partition("!")
    if held_base != needed_base:
        return False
    if not held_filter or held_filter == needed_filter:
        return True
    held_kind, _, held_value = held_filter.partition("=")
    needed_kind, _, needed_value = needed_filter.partition("=")
    if (held_kind, needed_kind) == ("user", "server") and held_value:
        # Server names hold no slash, user names may: split at the last one.
        owner, slash, _ = needed_value.rpartition("/")
        return bool(slash) and owner == held_value
    return False


def granted(needed: Iterable[str], held: Iterable[str]) -> frozenset[str]:
    """Those of the ``needed`` scopes that the ``held`` ones grant; one is enough to enter."""
    have = list(held)
    return frozenset(scope for scope in needed if any(covers(mine, scope) for mine in have))


def check_scopes(required_scopes: str | Iterable[str], held: Iterable[str]) -> set[str]:
    """As ``granted``, under the name and with the arguments that services know."""
    needed = {required_scopes} if isinstance(required_scopes, str) else required_scopes
    return set(granted(needed, held))
