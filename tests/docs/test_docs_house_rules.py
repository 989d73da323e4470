"""What CONTRIBUTING.md and the architecture promise about the code, checked on the code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "perijove"
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "tree" not in p.relative_to(PACKAGE).parts)
ROOMS = sorted(p.parent for p in PACKAGE.glob("*/__init__.py"))
TABLES = {"access/catalogue.py", "access/operations.py", "store/tables.py", "wire/models.py"}
"""Modules that are tables, which may be long."""
MODULE_LINES = 500


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def is_table(path: Path) -> bool:
    return name_of(path) in TABLES or "options" in path.parts


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_why_it_exists(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", [m for m in MODULES if not is_table(m)], ids=name_of)
def test_a_module_that_is_no_table_has_at_most_500_lines(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MODULE_LINES, f"{name_of(path)} has {lines} lines; which noun hides in it?"


@pytest.mark.parametrize("room", ROOMS, ids=lambda p: p.name)
def test_the_entrance_of_a_room_is_text_and_no_code(room: Path) -> None:
    tree = ast.parse((room / "__init__.py").read_text())
    text = ast.get_docstring(tree) or ""
    assert len(tree.body) == 1, f"{room.name}/__init__.py has code"
    assert "Start reading" in " ".join(text.split()), (
        f"{room.name} does not say where to start reading"
    )
