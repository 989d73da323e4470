"""A configuration file with every option as a comment, and what it is made of.

The reference page of all options is made from ``describe_options``.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets import Container, Dict, Enum, TraitType, Type, Union
from traitlets.config import Configurable

from perijove.config.hub import JupyterHub
from perijove.config.known import family_classes
from perijove.domain.errors import ConfigError

PRIVATE_MODE = 0o600
"""A configuration file holds tokens sooner or later, so a new one is private."""


@dataclass(frozen=True, slots=True)
class OptionFacts:
    """One option, as reference pages show it."""

    section: str
    name: str
    type: str
    default: str
    help: str
    deprecated: bool


def documented_classes() -> tuple[type[Configurable], ...]:
    """The classes whose options operators set, in the order of the reference."""
    return (JupyterHub, *family_classes())


def describe_options(classes: Iterable[type[Configurable]]) -> list[OptionFacts]:
    """Facts about every option that these classes add to their parents' options."""
    listed = list(classes)
    facts = []
    for cls in listed:
        for name, trait in sorted(cls.class_traits(config=True).items()):
            if cls._defining_class(trait, listed) is cls:
                facts.append(
                    OptionFacts(
                        section=cls.__name__,
                        name=name,
                        type=type_name(trait),
                        default=trait.default_value_repr(),
                        help=str(trait.help).strip(),
                        deprecated=bool(trait.metadata.get("deprecated")),
                    )
                )
    return facts


def type_name(trait: TraitType[Any, Any]) -> str:
    """The type of an option in words that operators know."""
    if isinstance(trait, Union):
        return " | ".join(type_name(inner) for inner in trait.trait_types)
    if isinstance(trait, Type):
        return "Class (entry point)"
    if isinstance(trait, Enum):
        return f"{type(trait).__name__}{list(trait.values or ())!r}"
    name = {"Integer": "Int"}.get(type(trait).__name__, type(trait).__name__)
    if isinstance(trait, Dict):
        return name
    inner = getattr(trait, "_trait", None) if isinstance(trait, Container) else None
    known = inner is not None and type(inner).__name__ != "Any"
    return f"{name}[{type(inner).__name__}]" if known else name


def generate_config_file(classes: Iterable[type[Configurable]] | None = None) -> str:
    """A configuration file in which every option of ``classes`` is a comment."""
    hub = JupyterHub()
    chosen = list(documented_classes() if classes is None else classes)
    hub.classes = chosen
    text: str = hub.generate_config_file(chosen)
    return text


def write_config_file(
    hub: JupyterHub,
    classes: Iterable[type[Configurable]] | None = None,
    ask: Callable[[str], str] = input,
) -> bool:
    """Write the file that ``hub.config_file`` names; whether it was written.

    An existing file is replaced only after a yes to ``ask``, or with
    ``answer_yes``. Raises ConfigError when nobody can be asked, or when the file
    cannot be written.
    """
    path = Path(hub.config_file).expanduser()
    if path.exists() and not hub.answer_yes:
        try:
            answer = ask(f"Overwrite {path} with default config? [y/N] ")
        except EOFError:
            raise ConfigError(f"{path} exists, and nobody can be asked; -y overwrites it") from None
        if answer.strip().lower() not in {"y", "yes"}:
            return False
    text = generate_config_file(classes)
    print(f"Writing default config to: {path}")
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, PRIVATE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}") from None
    return True
