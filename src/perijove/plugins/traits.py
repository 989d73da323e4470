"""Trait types that configuration files and plug-ins use for their options.

The names are part of the plug-in interface: plug-ins import them as
``jupyterhub.traitlets``.
"""

import re
from collections.abc import Callable as AnyCallable
from typing import Any

import traitlets
from traitlets import Integer, List, TraitError, Undefined, Unicode

from perijove.kit.urls import prefix_of
from perijove.plugins.discover import list_plugins, load_plugin


class URLPrefix(Unicode):  # type: ignore[type-arg]
    """A URL path that begins and ends with exactly one slash."""

    def validate(self, obj: Any, value: Any) -> str:
        """The path with its slashes put right."""
        return prefix_of(str(super().validate(obj, value)))


class Command(List):  # type: ignore[type-arg]
    """A command line as a list of words; one plain string is a list of one word."""

    def __init__(self, default_value: Any = Undefined, **kwargs: Any) -> None:
        if isinstance(default_value, str):
            default_value = [default_value]
        given = kwargs.get("default_value", default_value)
        kwargs.setdefault("minlen", 0 if given == [] else 1)
        if default_value is not Undefined and not (
            default_value is None and not kwargs.get("allow_none", False)
        ):
            kwargs["default_value"] = default_value
        super().__init__(Unicode(), **kwargs)

    def validate(self, obj: Any, value: Any) -> Any:
        """The words; a string becomes a list."""
        return super().validate(obj, [value] if isinstance(value, str) else value)

    def from_string(self, s: str) -> Any:
        """A value from the command line: one string, or a list in brackets."""
        return self.from_string_list([s])

    def from_string_list(self, s_list: list[str]) -> Any:
        """Values given on the command line, one option after the other."""
        if len(s_list) == 1 and not s_list[0].startswith("["):
            return list(s_list)
        return super().from_string_list(s_list)


class ByteSpecification(Integer):  # type: ignore[type-arg]
    """A number of bytes: an integer, or text with a suffix K, M, G or T (powers of 1024)."""

    info_text = "a number of bytes, or a number followed by K, M, G or T"
    UNIT_SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    _PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)", re.ASCII)

    def validate(self, obj: Any, value: Any) -> int:
        """The number of bytes. Raises TraitError with the accepted forms."""
        if isinstance(value, float):
            return int(value)
        if not isinstance(value, str):
            return int(super().validate(obj, value))
        match = self._PATTERN.fullmatch(value.strip())
        if match is None:
            raise TraitError(
                f"{value!r} is not a valid size for {self.name}: expected an integer number of "
                "bytes, or a number followed by one of K, M, G, T"
            )
        number, suffix = match.groups()
        return int(float(number) * self.UNIT_SUFFIXES[suffix]) if suffix else int(float(number))

    def from_string(self, s: str) -> Any:
        """A value from the command line, checked on assignment."""
        return None if self.allow_none and s == "None" else s


class Later:
    """A value that is made when somebody looks: ``make`` gives it."""

    __slots__ = ("make",)

    def __init__(self, make: AnyCallable[[], Any]) -> None:
        self.make = make


class Lazy(traitlets.Any):
    """Any value. One that is set as a ``Later`` is made at the first look at it."""

    def get(self, obj: Any, cls: Any = None) -> Any:
        """The value itself."""
        value = super().get(obj, cls)
        if isinstance(value, Later):
            value = obj._trait_values[self.name] = value.make()
        return value


class Callable(traitlets.TraitType):  # type: ignore[type-arg]
    """Anything that can be called: a function, a method, an object with ``__call__``."""

    info_text = "a callable"

    def __init__(self, default_value: Any = Undefined, **kwargs: Any) -> None:
        kwargs.setdefault("default_value", default_value)
        super().__init__(**kwargs)

    def validate(self, obj: Any, value: Any) -> Any:
        """The value itself. Raises TraitError when it cannot be called."""
        if callable(value):
            return value
        self.error(obj, value)
        return None


class EntryPointType(traitlets.Type):  # type: ignore[type-arg]
    """A class, an import string, or a short name registered by a package.

    Short names are looked up without regard to case in the entry point group
    ``entry_point_group``. The class must be a subclass of ``klass``.
    """

    _original_help = ""

    def __init__(self, *args: Any, entry_point_group: str, **kwargs: Any) -> None:
        self.entry_point_group = entry_point_group
        super().__init__(*args, **kwargs)

    @property
    def help(self) -> str:
        """The option's help, followed by the names that are installed now."""
        lines = [self._original_help.rstrip(), "", "Currently installed:"]
        for name, target in sorted(list_plugins(self.entry_point_group).items()):
            lines.append(f"  - {name}: {target.replace(':', '.')}")
        return "\n".join(lines)

    @help.setter
    def help(self, value: str) -> None:
        self._original_help = value or ""

    def validate(self, obj: Any, value: Any) -> Any:
        """The class. Raises TraitError, or the error of the plug-in's own import."""
        if isinstance(value, str):
            try:
                value = load_plugin(self.entry_point_group, value)
            except ValueError as error:
                raise TraitError(f"{self.name}: {error}") from None
        return super().validate(obj, value)

    def _resolve_classes(self) -> None:
        # The default may be a plug-in that is slow to import: only the base class is needed now.
        if isinstance(self.klass, str):
            self.klass = self._resolve_string(self.klass)
