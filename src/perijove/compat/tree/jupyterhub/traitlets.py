"""Trait types of options."""

from traitlets import Integer, List, TraitError, TraitType, Type, Undefined, Unicode

from perijove.plugins.traits import (
    ByteSpecification,
    Callable,
    Command,
    EntryPointType,
    URLPrefix,
)
