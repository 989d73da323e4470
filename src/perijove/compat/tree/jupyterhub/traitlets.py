"""Trait types of options."""

from perijove.plugins.traits import (
    ByteSpecification,
    Callable,
    Command,
    EntryPointType,
    URLPrefix,
)
