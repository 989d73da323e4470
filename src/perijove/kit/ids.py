"""Random names: tokens, codes and identifiers."""

import secrets
import string
import uuid

_LETTERS = string.ascii_letters + string.digits


def new_token() -> str:
    """32 hex digits: the form of API tokens and session ids."""
    return uuid.uuid4().hex


def new_code(length: int = 30) -> str:
    """Random letters and digits: the form of OAuth codes and access tokens."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def new_secret(n_bytes: int = 32) -> str:
    """URL-safe random text from ``n_bytes`` bytes."""
    return secrets.token_urlsafe(n_bytes)
