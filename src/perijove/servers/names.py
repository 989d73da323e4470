"""What named servers may be called, and what becomes of those from before that rule.

Names end up in paths, labels and DNS names, so they are short and plain; what
people see is the display name.
"""

import hashlib
import logging
import re

from sqlalchemy import Connection

from perijove.domain.errors import InvalidInput
from perijove.domain.settings import InvalidNames
from perijove.store import servers as server_rows

log = logging.getLogger("perijove.servers")

MAX_LENGTH = 30
_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*\Z")
_DIGEST_LENGTH = 8


def is_valid(name: str) -> bool:
    """Whether a new named server may be called so."""
    return len(name) <= MAX_LENGTH and _NAME.match(name) is not None


def check_server_name(name: str) -> None:
    """Raises InvalidInput for a name that a new named server may not have."""
    if not is_valid(name):
        raise InvalidInput(
            f"Invalid server name {name!r}: use at most {MAX_LENGTH} lower-case letters, digits "
            "and single hyphens, beginning with a letter and not ending with a hyphen"
        )


def valid_name_for(name: str, taken: set[str]) -> str:
    """A valid name that resembles ``name`` and is none of ``taken``."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not plain[:1].isalpha():
        plain = f"x-{plain}".rstrip("-")
    found = plain[:MAX_LENGTH].rstrip("-")
    if found in taken:
        digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:_DIGEST_LENGTH]
        found = f"{plain[: MAX_LENGTH - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"
    return found


def settle_invalid_names(connection: Connection, rule: InvalidNames) -> None:
    """Rename stopped servers whose names break the rule, if ``rule`` is ``autorename``.

    The old name becomes the display name, unless there is one. Whatever stays as
    it is, is logged.
    """
    named = server_rows.named(connection)
    taken: dict[int, set[str]] = {}
    for server in named:
        taken.setdefault(server.user_id, set()).add(server.name)
    for server in named:
        if is_valid(server.name):
            continue
        if rule != "autorename" or server.active:
            why = "it is running" if rule == "autorename" else f"it may {rule.partition('-')[2]}"
            log.warning("The name of server %r is not valid; %s", server.full_name, why)
            continue
        new = valid_name_for(server.name, taken[server.user_id])
        taken[server.user_id].add(new)
        shown = server.display_name or server.name
        server_rows.edit(connection, server.id, name=new, display_name=shown)
        log.info("Server %r is called %r now", server.full_name, new)
