"""The ratchet of the conformance suite only ever goes up."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "check_ratchet.py"
_spec = importlib.util.spec_from_file_location("check_ratchet", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
check_ratchet = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_ratchet)


def check(tmp_path: Path, passed: dict[str, int], ratchet: dict[str, int], *options: str) -> int:
    """Exit status of the script for a report with these counts."""
    areas = {area: {"passed": count, "total": 100} for area, count in passed.items()}
    report, kept = tmp_path / "report.json", tmp_path / "ratchet.json"
    report.write_text(json.dumps({"areas": areas, "failed": ["test_x.py::test_y"]}))
    kept.write_text(json.dumps(ratchet))
    status: int = check_ratchet.main([str(report), "--ratchet", str(kept), *options])
    return status


def test_a_count_that_falls_is_an_error_and_names_the_failed_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, {"users": 9, "proxy": 5}, {"users": 10, "proxy": 5}) == 1
    out = capsys.readouterr().out
    assert "FELL   users: 9 passed, 10 needed" in out
    assert "test_x.py::test_y" in out


def test_equal_counts_and_areas_that_did_not_run_are_fine(tmp_path: Path) -> None:
    assert check(tmp_path, {"users": 10}, {"users": 10, "proxy": 5}) == 0


def test_a_risen_count_is_announced_and_written_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, {"users": 12}, {"users": 10, "proxy": 5}) == 0
    assert "raised users: 12 passed, 10 needed" in capsys.readouterr().out
    assert json.loads((tmp_path / "ratchet.json").read_text()) == {"users": 10, "proxy": 5}
    assert check(tmp_path, {"users": 12}, {"users": 10, "proxy": 5}, "--raise") == 0
    assert json.loads((tmp_path / "ratchet.json").read_text()) == {"users": 12, "proxy": 5}


def test_a_fallen_count_is_never_written(tmp_path: Path) -> None:
    assert check(tmp_path, {"users": 9, "proxy": 7}, {"users": 10, "proxy": 5}, "--raise") == 1
    assert json.loads((tmp_path / "ratchet.json").read_text()) == {"users": 10, "proxy": 5}


def test_a_report_in_which_nothing_ran_is_an_error(tmp_path: Path) -> None:
    assert check(tmp_path, {}, {"users": 10}) == 1
