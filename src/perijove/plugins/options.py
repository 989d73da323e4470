"""What people choose before a start: reading it from a form, applying it to a spawner."""

from collections.abc import Callable, Mapping
from typing import Any

from traitlets import TraitError


def read_unchanged(form_data: Mapping[str, Any]) -> dict[str, Any]:
    """The form as it came: a dict of lists."""
    return dict(form_data)


def read_simple(form_data: Mapping[str, Any]) -> dict[str, Any]:
    """Single values unpacked from their lists, and a ticked box (``on``) as True."""
    options: dict[str, Any] = {}
    for name, values in form_data.items():
        unpacked = values[0] if isinstance(values, (list, tuple)) and len(values) == 1 else values
        options[name] = True if unpacked == "on" else unpacked
    return options


FORM_READERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "passthrough": read_unchanged,
    "simple": read_simple,
}
"""The values of ``Spawner.options_from_form`` that are words."""


def assign_options(spawner: Any, names: Mapping[str, str], options: Mapping[str, Any]) -> None:
    """Set spawner attributes from options, by a map from option to attribute.

    Text for an attribute of another type is read as on a command line. Raises
    TraitError when a value does not fit.
    """
    for option, attribute in names.items():
        if option not in options:
            continue
        value = options[option]
        if isinstance(value, str) and spawner.has_trait(attribute):
            value = _from_text(spawner, attribute, value)
        setattr(spawner, attribute, value)


def _from_text(spawner: Any, attribute: str, value: str) -> Any:
    trait = spawner.traits()[attribute]
    try:
        return trait._validate(spawner, value)
    except TraitError:
        try:
            return trait.from_string(value)
        except ValueError as error:
            raise TraitError(f"{value!r} is no value for {attribute}: {error}") from None


def merge_override(current: Any, value: Any) -> Any:
    """``value``, or, where both are dicts, ``current`` with it merged in.

    Dicts merge at every depth; a None in them deletes the key.
    """
    if not isinstance(value, dict) or not isinstance(current, dict):
        return value
    merged = dict(current)
    for key, item in value.items():
        if item is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_override(merged.get(key), item)
    return merged
