"""What can be wrong with scopes and roles: the writer's fault, said in one sentence.

    ValueError
    └── AccessError
        ├── ScopeInvalid         a scope is malformed (bad filter, no value)
        │   └── ScopeNotFound      no scope has this name
        ├── CustomScopeInvalid   a definition of a custom scope cannot be used
        ├── RoleInvalid          a definition of a role cannot be used
        │   └── RoleNotFound       no role has this name
        ├── ScopesNotHeld        more is asked for than the owner has
        └── ScopesNotAllowed     more is asked for than the OAuth client may have

They carry no status: configuration turns them into a refused start, the API
into 400 or 403, the OAuth provider into ``invalid_scope``.
"""

from collections.abc import Iterable
from difflib import get_close_matches

NOT_HELD = "Not assigning requested scopes {scopes} not held by {kind} {name}"


class AccessError(ValueError):
    """Parent of the errors of this room."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ScopeInvalid(AccessError):
    """A scope is malformed; ``scope`` is what was written."""

    def __init__(self, scope: str, message: str) -> None:
        super().__init__(message)
        self.scope = scope


class ScopeNotFound(ScopeInvalid):
    """No scope has this name."""


class CustomScopeInvalid(AccessError):
    """A definition of a custom scope cannot be used."""


class RoleInvalid(AccessError):
    """A definition of a role cannot be used."""


class RoleNotFound(RoleInvalid):
    """No role has this name."""


class ScopesNotHeld(AccessError):
    """More is asked for than the owner has; ``missing`` are the expanded scopes."""

    def __init__(self, missing: Iterable[str], kind: str, name: str) -> None:
        self.missing = tuple(missing)
        listed = ", ".join(self.missing)
        super().__init__(NOT_HELD.format(scopes=f"[{listed}]", kind=kind.capitalize(), name=name))


class ScopesNotAllowed(AccessError):
    """More is asked for than an OAuth client may have; ``scopes`` are the ones in excess."""

    def __init__(self, scopes: Iterable[str]) -> None:
        self.scopes = tuple(scopes)
        super().__init__(f"This client may not ask for: {', '.join(self.scopes)}")


_SHOWN_LENGTH = 80


def shown(written: object) -> str:
    """What somebody wrote, quoted for a message and cut to a readable length."""
    text = repr(written)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def nearest(word: str, words: Iterable[str]) -> str:
    """`` (did you mean X?)`` for the most similar of ``words``, else an empty string."""
    close = get_close_matches(word[:_SHOWN_LENGTH], list(words), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
