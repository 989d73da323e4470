"""Nearest right names, and one way to say what a value is not."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from perijove.domain.errors import ConfigError


def nearest(word: str, words: Iterable[str], cutoff: float = 0.6) -> str:
    """The most similar of ``words``, or an empty string when none is similar.

    ``cutoff`` is how similar it must be: from 0 (anything) to 1 (the same).
    """
    known = list(words)
    folded = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


def hint(word: str, words: Iterable[str]) -> str:
    """``; did you mean 'X'?`` or, when nothing is near, an empty string."""
    name = nearest(word, words)
    return f"; did you mean {name!r}?" if name else ""


def check_keys(what: str, given: Mapping[Any, Any], known: Iterable[str]) -> None:
    """Raises ConfigError for the first key of ``given`` that is not known."""
    names = list(known)
    for key in given:
        if key not in names:
            near = hint(str(key), names) or f"; the keys are {', '.join(names)}"
            raise ConfigError(f"{what}: there is no key {key!r}{near}")


def check_text(what: str, value: Any) -> str:
    """The value, if it is text. Raises ConfigError."""
    if not isinstance(value, str):
        raise ConfigError(f"{what} must be text, not {value!r}")
    return value


def check_texts(what: str, value: Any) -> tuple[str, ...]:
    """The value as a tuple, if it is a list of texts. Raises ConfigError."""
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{what} must be a list of texts, not {value!r}")
    return tuple(value)


def check_dict(what: str, value: Any) -> dict[Any, Any]:
    """The value as a dictionary. Raises ConfigError."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{what} must be a dictionary, not {value!r}")
    return dict(value)
