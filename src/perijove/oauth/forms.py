"""The parameters of OAuth requests, from a query or a form (RFC 6749, sections 3.1 and 3.2)."""

from collections import Counter
from urllib.parse import parse_qsl

from perijove.domain.errors import InvalidInput

MAX_LENGTH = 16_384
"""Longest query or form that is looked at (characters)."""

MAX_FIELDS = 50

ONCE = frozenset(
    (
        *("client_id", "client_secret", "redirect_uri", "response_type", "scope", "state"),
        *("code_challenge", "code_challenge_method", "grant_type", "code", "code_verifier"),
        *("token", "token_type_hint"),
    )
)
"""Parameters that may come once; others mean nothing here and are ignored."""


def read_parameters(text: str) -> list[tuple[str, str]]:
    """The parameters of a query or form; those without a value count as left out.

    Raises InvalidInput for what cannot be one, and for a parameter that comes twice.
    """
    if len(text) > MAX_LENGTH or "\0" in text:
        raise InvalidInput("The request is too long or malformed")
    try:
        pairs = parse_qsl(text, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise InvalidInput("The request has too many parameters") from error
    if any("\0" in part for pair in pairs for part in pair):
        raise InvalidInput("The request holds characters that cannot be")
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1 and name in ONCE:
            raise InvalidInput(f"The parameter {name} comes more than once")
    return pairs
