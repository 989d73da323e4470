"""Pages that promise something name the module that keeps it and the test that shows it."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("explanation/oauth", "explanation/security")
FAULTS = "contributing/known-faults"
TEST = re.compile(r"`(test_\w+)`")
MODULE = re.compile(r"`([a-z_]+/[\w/.-]+\.\w+)`")


@cache
def defined_tests() -> frozenset[str]:
    """Every test function there is."""
    found = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        found.update(re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(), re.MULTILINE))
    return frozenset(found)


def rows_of(page: str) -> list[str]:
    """The rows of the page's tables, without their heads."""
    lines = (ROOT / "docs" / f"{page}.md").read_text().splitlines()
    return [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if line.startswith("|") and not line.startswith("|---") and before.startswith("|")
    ]


ROWS = [row for page in PAGES for row in rows_of(page)]


@pytest.mark.parametrize("row", ROWS)
def test_each_promise_has_a_test_that_exists_and_a_module_that_exists(row: str) -> None:
    tests = TEST.findall(row)
    assert tests, "no test is named"
    assert set(tests) <= defined_tests()
    modules = MODULE.findall(row)
    assert modules, "no module is named"
    for module in modules:
        assert (ROOT / "src" / "perijove" / module).is_file(), module


@pytest.mark.parametrize("row", rows_of(FAULTS))
def test_each_known_fault_has_a_test_that_exists(row: str) -> None:
    tests = TEST.findall(row)
    assert tests, "no test is named"
    assert set(tests) <= defined_tests()


def test_the_pages_have_tables() -> None:
    assert all(len(rows_of(page)) > 20 for page in (*PAGES, FAULTS))
