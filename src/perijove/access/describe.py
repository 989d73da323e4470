"""Scopes in words, for the pages on which people agree to hand them out."""

from collections.abc import Iterable
from dataclasses import dataclass

from perijove.access.catalogue import CATALOGUE, INHERIT, NO_SCOPE_DESCRIPTION, Catalogue
from perijove.access.expand import Client, Owner, expand
from perijove.access.grammar import ALL, All, Filters, parse_scopes

_PLURALS = {"user": "users", "server": "servers", "group": "members of groups"}


@dataclass(frozen=True, slots=True)
class ScopeText:
    """One scope in words; ``filter`` says what it is limited to, empty for everything."""

    scope: str
    description: str
    filter: str


NO_SCOPE_TEXT = ScopeText("(no_scope)", NO_SCOPE_DESCRIPTION, "")


def describe_scopes(
    raws: Iterable[str],
    owner: Owner | None = None,
    client: Client | None = None,
    catalogue: Catalogue = CATALOGUE,
) -> tuple[ScopeText, ...]:
    """What these scopes mean, without those that a listed one contains already, by name.

    Nothing at all is described, too: the identity is always told.
    """
    raw_set = frozenset(raws)
    texts = [
        ScopeText(base, catalogue.scopes[base].description, _limits(base, reach, owner, catalogue))
        for base, reach in sorted(_topmost(raw_set, owner, client, catalogue).items())
    ]
    if INHERIT in raw_set:
        texts.insert(0, ScopeText(INHERIT, catalogue.scopes[INHERIT].description, ""))
    return tuple(texts) or (NO_SCOPE_TEXT,)


def _topmost(
    raws: frozenset[str], owner: Owner | None, client: Client | None, catalogue: Catalogue
) -> dict[str, All | Filters]:
    """The expanded scopes that no other one of them contains with the same reach."""
    parsed = parse_scopes(expand(raws, owner, client, catalogue).scopes)
    return {
        base: reach
        for base, reach in parsed.items()
        if not any(parsed[other] == reach and _is_above(other, base, catalogue) for other in parsed)
    }


def _is_above(other: str, base: str, catalogue: Catalogue) -> bool:
    """Whether ``other`` contains ``base``; of custom scopes that contain each other, the first."""
    if other == base or base not in catalogue.contained(other):
        return False
    return other not in catalogue.contained(base) or other < base


def _limits(base: str, reach: All | Filters, owner: Owner | None, catalogue: Catalogue) -> str:
    if reach is ALL:
        return ""
    if owner is not None and reach == {owner.kind: frozenset({owner.name})}:
        return "your own only" if owner.kind == "user" else "its own only"
    about_groups = catalogue.scopes[base].filters == ("group",)
    parts = []
    for kind in sorted(reach):
        word = "groups" if kind == "group" and about_groups else _PLURALS.get(kind, "services")
        parts.append(f"{word} {', '.join(sorted(reach[kind]))}")
    return "only " + "; ".join(parts)
