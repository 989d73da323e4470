"""May this caller do this to that? The answer, with its reason.

A ``Grant`` is what a caller may do: expanded scopes, parsed once and kept. A
``Target`` is what the request is about, with the groups of the user in
question when the grant asks for them (``Grant.uses_groups``). An operation
needs any one of its scopes.

Three answers are possible, and the difference matters to whoever probes:
nothing of the needed kind is held (403, the caller may know that), it is held
for other things only (404, as if the target did not exist), or it is allowed.
An operation on the hub as a whole takes a scope without any filter; there is
nothing to hide then, so whoever holds it with one is refused with 403.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from perijove.access.catalogue import Kind
from perijove.access.grammar import ALL, Filters, Parsed, format_scope, parse_scopes
from perijove.access.intersect import covers_server, covers_user
from perijove.domain.errors import Forbidden, NotFound

HIDDEN: Final = "No access to resources or resources not found"
GUARDED_ADMIN: Final = "Only admins can do this to an admin"

_NONE: Final[frozenset[str]] = frozenset()


def not_authorized(needed: Sequence[str]) -> str:
    """What a caller reads who holds none of the needed scopes."""
    return f"Action is not authorized with current scopes; requires any of [{', '.join(needed)}]"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller may do: expanded scopes. Make it with ``Grant.of``."""

    scopes: frozenset[str]
    parsed: Parsed = field(compare=False, repr=False)

    @classmethod
    def of(cls, scopes: Iterable[str]) -> "Grant":
        """A grant of expanded scopes."""
        known = scopes if isinstance(scopes, frozenset) else frozenset(scopes)
        return cls(known, parse_scopes(known))

    def uses_groups(self, needed: Iterable[str]) -> bool:
        """Whether the answer for these scopes can depend on the groups of the target's user."""
        found = False
        for base in needed:
            filters = self.parsed.get(base)
            if filters is ALL:
                return False
            found = found or (filters is not None and "group" in filters)
        return found

    def holds(self, base: str) -> bool:
        """Whether the scope is held at all, whatever it is limited to."""
        return base in self.parsed


NOTHING: Final = Grant.of(_NONE)
"""What a caller without any rights may do."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation is about. ``groups`` are those of ``user``, who may be a server's owner."""

    kind: Kind | Literal["none"]
    user: str = ""
    server: str = ""
    group: str = ""
    service: str = ""
    groups: frozenset[str] = _NONE

    @classmethod
    def of_user(cls, name: str, groups: frozenset[str] = _NONE) -> "Target":
        """A user."""
        return cls("user", user=name, groups=groups)

    @classmethod
    def of_server(cls, user: str, server: str = "", groups: frozenset[str] = _NONE) -> "Target":
        """A server, by its owner's name and its own; ``groups`` are the owner's."""
        return cls("server", user=user, server=server, groups=groups)

    @classmethod
    def of_group(cls, name: str) -> "Target":
        """A group."""
        return cls("group", group=name)

    @classmethod
    def of_service(cls, name: str) -> "Target":
        """A service."""
        return cls("service", service=name)

    @property
    def value(self) -> str:
        """How a filter names it; empty for the hub as a whole."""
        if self.kind == "server":
            return f"{self.user}/{self.server}"
        return self.user or self.group or self.service


THE_HUB: Final = Target("none")
"""The hub as a whole: nothing that a filter could name."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, by this scope."""

    scope: str


@dataclass(frozen=True, slots=True)
class Denied:
    """No. ``message`` is for the caller, ``reason`` for the log; ``missing`` would have done."""

    reason: str
    status: Literal[403, 404]
    missing: tuple[str, ...]
    message: str


def decide(
    grant: Grant,
    needed: Sequence[str],
    target: Target,
    *,
    hidden_status: Literal[403, 404] = 404,
) -> Allowed | Denied:
    """Whether any of the ``needed`` scopes is held and reaches the target.

    ``hidden_status`` is the answer when a scope is held for other targets only.
    Raises ValueError when no scope is named: such an operation has no decision.
    """
    held = False
    for base in needed:
        filters = grant.parsed.get(base)
        if filters is None:
            continue
        if filters is ALL or reaches(filters, target):
            return _allowed(base)
        held = True
    if not needed:
        raise ValueError("a decision needs at least one scope")
    if not held:
        return _lacking(needed)
    return _hidden(needed, target, hidden_status)


def reaches(filters: Filters, target: Target) -> bool:
    """Whether a filtered scope covers the target."""
    kind = target.kind
    if kind == "user":
        return covers_user(filters, target.user, target.groups)
    if kind == "server":
        return covers_server(filters, target.value, target.groups)
    if kind == "group":
        return target.group in filters.get("group", _NONE)
    if kind == "service":
        return target.service in filters.get("service", _NONE)
    return False


@lru_cache(maxsize=512)
def _allowed(base: str) -> Allowed:
    return Allowed(base)


def _lacking(needed: Sequence[str]) -> Denied:
    message = not_authorized(needed)
    return Denied(f"missing scope: any of {', '.join(needed)}", 403, tuple(needed), message)


def _hidden(needed: Sequence[str], target: Target, status: Literal[403, 404]) -> Denied:
    if target.kind == "none":
        reason = f"missing scope: any of {', '.join(needed)} without a filter"
        return Denied(reason, 403, tuple(needed), not_authorized(needed))
    wanted = tuple(format_scope(base, target.kind, target.value) for base in needed)
    reason = f"missing scope: any of {', '.join(wanted)} (held for others only)"
    return Denied(reason, status, wanted, HIDDEN if status == 404 else not_authorized(needed))


def decide_each(grant: Grant, needed: Sequence[str], targets: Iterable[Target]) -> Allowed | Denied:
    """For an operation on several things at once: all of them, or no (403).

    Without any target it is enough to hold one of the scopes somehow, so that
    an empty list is answered by what is wrong with it.
    """
    answer: Allowed | Denied | None = None
    for target in targets:
        answer = decide(grant, needed, target, hidden_status=403)
        if isinstance(answer, Denied):
            return answer
    if answer is not None:
        return answer
    held = next((base for base in needed if grant.holds(base)), None)
    return _lacking(needed) if held is None else _allowed(held)


def require(grant: Grant, needed: Sequence[str], target: Target) -> None:
    """``decide`` for those who go on only if allowed. Raises Forbidden or NotFound."""
    raise_if_denied(decide(grant, needed, target))


def raise_if_denied(answer: Allowed | Denied) -> None:
    """Turn a refusal into domain.errors.Forbidden or NotFound with the caller's message."""
    if isinstance(answer, Denied):
        raise (Forbidden if answer.status == 403 else NotFound)(answer.message)


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows of a list a caller may see: all, or those that any of the names covers.

    ``groups`` mean the members (of a list of users or servers) or the groups
    themselves (of a list of groups).
    """

    all: bool
    users: frozenset[str] = _NONE
    groups: frozenset[str] = _NONE
    servers: frozenset[str] = _NONE
    services: frozenset[str] = _NONE


EVERY_ROW: Final = RowFilter(all=True)

_APPLICABLE: Final[dict[Kind, tuple[Kind, ...]]] = {
    "user": ("user", "group"),
    "server": ("user", "group", "server"),
    "group": ("group",),
    "service": ("service",),
}


def row_filter(grant: Grant, needed: Sequence[str], kind: Kind) -> RowFilter | Denied:
    """The rows of a list of ``kind`` that any of the ``needed`` scopes opens.

    Filters that cannot name such rows (``!server`` on a list of users) open
    nothing; with nothing else held the answer is Denied with 403.
    """
    names: dict[Kind, frozenset[str]] = {}
    for base in needed:
        filters = grant.parsed.get(base)
        if filters is ALL:
            return EVERY_ROW
        if filters is None:
            continue
        for applicable in _APPLICABLE[kind]:
            if applicable in filters:
                names[applicable] = names.get(applicable, _NONE) | filters[applicable]
    if not names:
        return _lacking(needed)
    return RowFilter(
        all=False,
        users=names.get("user", _NONE),
        groups=names.get("group", _NONE),
        servers=names.get("server", _NONE),
        services=names.get("service", _NONE),
    )


def guard_admin(*, caller_is_admin: bool, target_is_admin: bool) -> Denied | None:
    """Nobody but an admin edits or deletes an admin, gets an admin's token, or makes admins.

    This holds besides scopes. ``caller_is_admin`` is about the owner of the
    credential, ``target_is_admin`` about the user as is or as is to be. None
    means that nothing stands in the way.
    """
    if target_is_admin and not caller_is_admin:
        return Denied("the target is an admin, the caller is not", 403, (), GUARDED_ADMIN)
    return None


MEMBERSHIP_NEEDS: Final = ("groups",)
"""The right over a group that putting people into it takes."""

PERSON_NEEDS: Final = ("users",)
"""The right over a person that putting them into a group takes."""


def decide_membership(
    grant: Grant, group: str, people: Iterable[Target], caller: str = ""
) -> Allowed | Denied:
    """Whether these users may be put into the group.

    It takes a right over the group and over each of the people: otherwise who
    runs a group could pull in anybody and gain, through filters on that group,
    rights over them. ``caller`` is the user's name, if the caller is a user:
    people may put themselves into a group that they run.
    """
    answer = decide(grant, MEMBERSHIP_NEEDS, Target.of_group(group))
    if isinstance(answer, Denied):
        return answer
    for person in people:
        if caller and person.user == caller:
            continue
        over = decide(grant, PERSON_NEEDS, person, hidden_status=403)
        if isinstance(over, Denied):
            return over
    return answer
