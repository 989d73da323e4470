"""Every option explains itself, and the generated configuration file has them all."""

import re

import pytest
from traitlets.config import Configurable

from perijove.config.generate import describe_options, documented_classes, generate_config_file

CLASSES = documented_classes()
OPTIONS = [
    (cls, name)
    for cls in CLASSES
    for name in sorted(cls.class_traits(config=True))
    if cls._defining_class(cls.class_traits()[name], list(CLASSES)) is cls
]


@pytest.mark.parametrize(("cls", "name"), OPTIONS, ids=lambda part: getattr(part, "__name__", part))
def test_every_option_has_a_help_text(cls: type[Configurable], name: str) -> None:
    help_text = str(cls.class_traits()[name].help).strip()
    assert len(help_text) > 15, f"c.{cls.__name__}.{name} does not say what it is for"


def test_every_option_is_in_the_generated_file() -> None:
    generated = set(re.findall(r"^# c\.(\w+\.\w+) = ", generate_config_file(), re.MULTILINE))
    missing = {f"{cls.__name__}.{name}" for cls, name in OPTIONS} - generated
    assert missing == set()


def test_the_reference_lists_every_option_once() -> None:
    listed = [(facts.section, facts.name) for facts in describe_options(CLASSES)]
    assert len(listed) == len(set(listed))
    assert set(listed) == {(cls.__name__, name) for cls, name in OPTIONS}
