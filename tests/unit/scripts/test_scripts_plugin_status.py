"""What a run of plug-ins' suites is worth: better, worse, excused."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
BASELINE = json.loads((ROOT / "tests" / "plugins" / "suites" / "baseline.json").read_text())

_spec = importlib.util.spec_from_file_location(
    "plugin_status", ROOT / "scripts" / "plugin_status.py"
)
assert _spec is not None
assert _spec.loader is not None
status = importlib.util.module_from_spec(_spec)
sys.modules["plugin_status"] = status  # dataclasses look their module up
_spec.loader.exec_module(status)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test for what the script reads and writes."""
    for name in ("REPORT", "PAGE", "REASONS"):
        monkeypatch.setattr(status, name, tmp_path / name.lower())
    (tmp_path / "reasons").write_text("{}")
    return tmp_path


def run(files: Path, results: dict[str, Any], *words: str) -> int:
    file = files / "results.json"
    file.write_text(json.dumps(results))
    code: int = status.main([str(file), *words])
    return code


def results_of(outcome: str) -> dict[str, Any]:
    """A run of one suite in which one test that passes with JupyterHub ends like this."""
    known = BASELINE["suites"]["dockerspawner"]
    cases = dict(known["cases"])
    cases["tests.test_deprecations::test_deprecated_config"] = outcome
    counts = {kind: list(cases.values()).count(kind) for kind in known["counts"]}
    suite = {"sdist": known["sdist"], "status": "ran", "counts": counts, "cases": cases}
    return {"dockerspawner": suite, "usage-quotas": {"status": "n/a", "sdist": "x==1"}}


def test_a_run_as_good_as_jupyterhubs_is_written_down(files: Path) -> None:
    assert run(files, results_of("passed"), "--write") == 0
    text = status.PAGE.read_text()
    assert "| dockerspawner 14.0.0 | 2 passed | 2 passed |" in text
    assert "usage-quotas" not in text
    assert "\nNone.\n" in text


def test_what_is_worse_fails_the_run_unless_there_is_a_reason(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = "tests.test_deprecations::test_deprecated_config"
    assert run(files, results_of("failed"), "--write") == 1
    assert f"worse: {test}: no reason is given" in capsys.readouterr().out
    assert not status.PAGE.exists()
    status.REASONS.write_text(json.dumps({test: "It asks for a private thing."}))
    assert run(files, results_of("failed"), "--write") == 0
    assert f"- `{test}`: It asks for a private thing." in status.PAGE.read_text()


def test_a_suite_that_did_not_run_fails_the_run(files: Path) -> None:
    broken = {"dockerspawner": {"status": "install-failed", "sdist": "x==1", "why": "pip"}}
    assert run(files, broken) == 1


def test_the_page_in_the_documentation_is_what_the_report_says() -> None:
    report = json.loads(status.REPORT.read_text())
    reasons = json.loads(status.REASONS.read_text())
    assert status.PAGE.read_text() == status.page(report, BASELINE, reasons)
    assert len(report["suites"]) >= 16
