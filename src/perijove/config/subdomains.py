"""How names of users and services become host names, one for each.

A hook is called ``hook(name, domain, kind)``, ``kind`` being ``user`` or
``service``, and gives a host. Two are built in, and operators may bring theirs.
The hosts must stay the same over upgrades: people's bookmarks and certificates
depend on them.
"""

import hashlib
import re
from collections.abc import Callable
from urllib.parse import quote

import idna

SubdomainHook = Callable[[str, str, str], str]

MAX_LABEL = 63
"""Characters that one label of a host name may have (RFC 1035, section 2.3.4)."""

_SLUG_LENGTH = 8
_HASH_LENGTH = 7


def idna_host(name: str, domain: str, kind: str) -> str:
    """``LABEL.DOMAIN`` for users, ``LABEL--service.DOMAIN`` for services.

    The label is the name's IDNA form (RFC 5891). Names that have none, or that
    could be mistaken for a made-up one, get letters of theirs and a piece of a
    hash, so that two names never share a host.
    """
    suffix = "" if kind == "user" else f"--{kind}"
    label = _idna_label(name)
    if label is None or len(label) + len(suffix) > MAX_LABEL:
        label = _made_up_label(name)
    return f"{label}{suffix}.{domain}"


def _idna_label(name: str) -> str | None:
    if not name or "." in name or "--" in name or (name.isascii() and name.isdigit()):
        return None
    if name != name.lower():
        return None  # hosts have no case: Ada and ada would share one
    try:
        return idna.encode(name).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None


def _made_up_label(name: str) -> str:
    letters = re.sub(r"[^a-z0-9]", "", name.lower())[:_SLUG_LENGTH] or "x"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"u-{letters}--{digest[:_HASH_LENGTH]}"


def legacy_host(name: str, domain: str, kind: str) -> str:
    """``NAME.DOMAIN`` for users, ``services.DOMAIN`` for all services together.

    Characters that a URL would escape are written with ``_`` in place of ``%``.
    Not every result is a valid host name; kept for hubs that have used it.
    """
    if kind != "user":
        return f"{kind}s.{domain}"
    escaped = quote(name, safe="").replace("~", "%7E").replace("_", "%5F")
    return f"{escaped.replace('%', '_').lower()}.{domain}"


HOOKS: dict[str, SubdomainHook] = {"idna": idna_host, "legacy": legacy_host}
