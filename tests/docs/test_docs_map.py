"""Pages that name files, rooms and links name ones that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "perijove"
MAP = ROOT / "docs" / "contributing" / "map.md"
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]
)
ROOMS = sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_line_in_the_map_and_a_floor_in_the_architecture(room: str) -> None:
    assert f"| `{room}` |" in MAP.read_text()
    assert re.search(rf"\b{room}\b", ARCHITECTURE.read_text())


@pytest.mark.parametrize("page", [MAP, ARCHITECTURE], ids=lambda p: p.name)
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"`([a-z_]+/[a-z_/]*[a-z_]+\.py)`", page.read_text())
    assert named
    missing = [name for name in named if not (PACKAGE / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target and "_generated" not in target:
            assert (page.parent / target).exists(), target
