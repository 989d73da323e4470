"""Free text that people and programs send: bounded, and storable on every database."""

import re
from collections.abc import Sequence
from unicodedata import category

from perijove.domain.errors import InvalidInput

MAX_NAME_LENGTH = 255
"""Longest name of a user, group, service or role (characters)."""


_HALF = re.compile("[\ud800-\udfff]")


def storable(text: str) -> bool:
    """Whether a database can be asked about the text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or _HALF.search(text) is None)


def checked_text(value: object, what: str, max_length: int) -> str:
    """The text. Raises InvalidInput, naming ``what``, when it cannot be stored as it is."""
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be a text")
    if len(value) > max_length:
        raise InvalidInput(f"{what} must have at most {max_length} characters")
    if not storable(value):
        raise InvalidInput(f"{what} holds characters that cannot be stored")
    return value


def checked_group_name(name: object) -> str:
    """The name of a group. Raises InvalidInput when it is empty, too long or unprintable."""
    text = checked_text(name, "The name of a group", MAX_NAME_LENGTH)
    if not text.strip() or not all(c.isprintable() or category(c) == "Zs" for c in text):
        raise InvalidInput("The name of a group must not be empty or hold control characters")
    return text


def shown(names: Sequence[str], most: int = 5) -> str:
    """Names for a message: each bounded and escaped, and only the first few."""
    listed = ", ".join(ascii(name[:60]) for name in names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"
