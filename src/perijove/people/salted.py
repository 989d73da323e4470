"""Imported secrets: stored as slow, salted hashes, found by their first characters."""

from collections.abc import Sequence

from perijove.kit.crypto import matches_salted

PREFIX_LENGTH = 4
"""How many characters of a secret are stored beside its hash."""

MAX_CANDIDATES = 20
"""How many hashes one unknown secret is compared with; each takes up to a millisecond."""


def prefix_of(secret: str) -> str:
    """What an imported secret is looked up by."""
    return secret[:PREFIX_LENGTH]


def match(candidates: Sequence[tuple[int, str]], secret: str) -> int | None:
    """The id of the stored (id, hash) pair that this secret belongs to."""
    for row_id, salted in candidates[:MAX_CANDIDATES]:
        if matches_salted(salted, secret):
            return row_id
    return None
