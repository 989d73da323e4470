"""A small world for the property tests, and an oracle that knows no short cuts."""

from hypothesis import strategies as st

from perijove.access.catalogue import CATALOGUE
from perijove.access.decide import Allowed, Grant, Target, decide
from perijove.access.grammar import format_scope

USERS = ("ada", "bob", "cy")
GROUPS = ("class", "staff", "lab")
SERVERS = tuple(f"{user}/{name}" for user in USERS for name in ("", "gpu"))
SERVICES = ("culler", "grader")
NAMES = {"user": USERS, "group": GROUPS, "server": SERVERS, "service": SERVICES}

BASES = tuple(name for name, scope in CATALOGUE.scopes.items() if not scope.metascope)
CLOSE_BASES = ("users", "read:users", "read:users:name", "servers", "read:servers", "shares")
"""Few enough that two random sets often meet."""

KINDS_BY_CHOICE = ("user", "group", "server", "service")


def concrete_scopes(bases=CLOSE_BASES, kinds=KINDS_BY_CHOICE):
    """One scope, with or without a filter, all names filled in."""
    filtered = st.sampled_from(kinds).flatmap(
        lambda kind: st.builds(
            format_scope, st.sampled_from(bases), st.just(kind), st.sampled_from(NAMES[kind])
        )
    )
    return st.one_of(st.sampled_from(bases), filtered, filtered, filtered)


def scope_sets(bases=CLOSE_BASES, kinds=KINDS_BY_CHOICE):
    return st.frozensets(concrete_scopes(bases, kinds), max_size=8)


def written_scopes():
    """Scopes as people write them: also metascopes and short forms."""
    short = st.builds(format_scope, st.sampled_from(BASES), st.sampled_from(("user", "server")))
    return st.one_of(concrete_scopes(BASES), short, st.sampled_from(("self", "inherit")))


memberships = st.fixed_dictionaries(
    {user: st.frozensets(st.sampled_from(GROUPS)) for user in USERS}
)


def targets(members):
    """Everything there is to decide about."""
    for user in USERS:
        yield Target.of_user(user, members[user])
    for full_name in SERVERS:
        owner, _, name = full_name.partition("/")
        yield Target.of_server(owner, name, members[owner])
    for group in GROUPS:
        yield Target.of_group(group)
    for service in SERVICES:
        yield Target.of_service(service)
    yield Target("none")


def reach(scopes, members, bases=BASES):
    """All pairs of scope and target that these expanded scopes allow, by ``decide``."""
    grant = Grant.of(scopes)
    return {
        (base, target)
        for base in bases
        if grant.holds(base)
        for target in targets(members)
        if isinstance(decide(grant, (base,), target), Allowed)
    }


def texts_that_reach(base, target):
    """Every spelling of the scope that covers the target: the definition, written out."""
    texts = {base}
    if target.kind in ("user", "server"):
        texts |= {f"{base}!user={target.user}"}
        texts |= {f"{base}!group={group}" for group in target.groups}
    if target.kind == "server":
        texts |= {f"{base}!server={target.user}/{target.server}"}
    if target.kind == "group":
        texts |= {f"{base}!group={target.group}"}
    if target.kind == "service":
        texts |= {f"{base}!service={target.service}"}
    return texts
