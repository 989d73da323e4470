"""The options in the code, in the reference page and in the documentation's examples agree."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from generate import configuration  # noqa: E402

Option = tuple[str, str, Any]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.fixture(scope="module")
def options() -> list[Option]:
    """All options of all classes, those that a class inherits from a listed one included."""
    return [
        (kind.__name__, name, trait)
        for kind in configuration.classes()
        for name, trait in configuration.own_options(kind, set()).items()
    ]


def test_the_reference_has_an_entry_for_every_option(options: list[Option]) -> None:
    page = configuration.page()
    names = {name for _, name, _ in options}
    documented = set(re.findall(r"^### `c\.\w+\.(\w+)`$", page, re.MULTILINE))
    assert documented == names


def test_every_option_says_what_it_does(options: list[Option]) -> None:
    silent = sorted({f"{kind}.{name}" for kind, name, trait in options if not trait.help})
    assert not silent


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_options_that_a_page_names_exist(page: Path, options: list[Option]) -> None:
    known = {f"{kind}.{name}" for kind, name, _ in options}
    classes = {kind for kind, _, _ in options}
    for owner, name in re.findall(r"\bc\.([A-Z]\w+)\.(\w+)", page.read_text()):
        if owner in classes:
            assert f"{owner}.{name}" in known
