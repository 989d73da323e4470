"""Every option of every class that a configuration file can name, from the classes themselves."""

import inspect
import re
import reprlib
from typing import Any

from traitlets import TraitType, Undefined
from traitlets.config import Application, Configurable, SingletonConfigurable

from perijove.config.hub import JupyterHub
from perijove.config.sections import SECTIONS
from perijove.plugins.discover import BUILT_IN, import_dotted

SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 80
SHORT.maxlist = SHORT.maxdict = 20
FRAMEWORK = {Configurable, SingletonConfigurable, Application}


def classes() -> list[type[Configurable]]:
    """The hub, its sections, and the plug-in classes that come with it, bases first."""
    found: list[type[Configurable]] = [JupyterHub, *SECTIONS]
    for targets in BUILT_IN.values():
        for target in dict.fromkeys(targets.values()):
            plugin = import_dotted(target)
            assert isinstance(plugin, type)
            for ancestor in reversed(plugin.__mro__):
                if issubclass(ancestor, Configurable) and ancestor.class_traits(config=True):
                    found.append(ancestor)
    return [kind for kind in dict.fromkeys(found) if kind not in FRAMEWORK]


def own_options(kind: type[Configurable], documented: set[type]) -> dict[str, TraitType[Any, Any]]:
    """Options that the class adds to, or sets otherwise than, those bases already listed."""
    bases = [base for base in kind.__mro__[1:] if base in documented]
    own: dict[str, TraitType[Any, Any]] = {}
    for name, trait in sorted(kind.class_traits(config=True).items()):
        if not any(base.class_traits(config=True).get(name) is trait for base in bases):
            own[name] = trait
    return own


def default_of(kind: type[Configurable], name: str, trait: TraitType[Any, Any]) -> str:
    """The default as Python text, or a word for one that is worked out at start."""
    if name in getattr(kind, "_trait_default_generators", {}) or hasattr(kind, f"_{name}_default"):
        return "worked out at start"
    value = trait.default()
    if value is None or value is Undefined:
        return "none"
    if isinstance(value, type):
        return f"`{value.__module__}.{value.__qualname__}`"
    shown = SHORT.repr(value)
    return "worked out at start" if " object at 0x" in shown else f"`{shown}`"


def markdown(help_text: str) -> str:
    """Help text as Markdown: double backticks become single ones."""
    return re.sub(r"``([^`]*)``", r"`\1`", inspect.cleandoc(help_text or ""))


def page() -> str:
    """A section a class, an entry an option."""
    parts: list[str] = []
    documented: set[type] = set()
    for kind in classes():
        options = own_options(kind, documented)
        bases = [base.__name__ for base in kind.__mro__[1:] if base in documented]
        documented.add(kind)
        if not options and not bases:
            continue
        parts.append(f"## {kind.__name__}\n")
        first_paragraph = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]
        parts.append(markdown(first_paragraph) + "\n")
        if bases:
            parts.append(f"Has all options of {', '.join(f'`{base}`' for base in bases)}.\n")
        for name, trait in options.items():
            parts.append(f"### `c.{kind.__name__}.{name}`\n")
            what = type(trait).__name__
            parts.append(f"*{what}*, default: {default_of(kind, name, trait)}\n")
            parts.append(markdown(trait.help) + "\n")
    return "\n".join(parts)
