#!/usr/bin/env python3
"""Judge a run of plug-ins' suites, and write the page about it.

    plugin_status.py RESULTS           compare with JupyterHub; 1 when something is worse
    plugin_status.py RESULTS --write   also write the report and the page
    plugin_status.py --page            write the page from the report again

RESULTS is what ``run_suites.py --json`` wrote, the report tests/plugins/report.json, the
page docs/reference/plugin-status.md. A test that is worse than with JupyterHub is excused
by tests/plugins/reasons.json: test -> reason.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "plugins"
REPORT = FOLDER / "report.json"
REASONS = FOLDER / "reasons.json"
PAGE = ROOT / "docs" / "reference" / "plugin-status.md"
RANK = {"passed": 0, "xfailed": 0, "skipped": 1, "failed": 2, "error": 2}

sys.path.insert(0, str(FOLDER / "suites"))
from suites import LEFT_OUT, SUITES  # noqa: E402

HEAD = """\
# Plug-ins and their tests

Plug-ins run as they are, from PyPI. This page says how the test suites that they ship end with
Perijove, next to how they end with JupyterHub {jupyterhub} in the same environment. It is made by
`scripts/plugin_suites.sh --report`.

Failures that JupyterHub has too are not ours: oauthenticator 17.4.0, for example, does not expect
the key `user_info`, which JupyterHub 6 added to what authenticators give.

## Suites

Numbers are tests that passed, failed (errors included) and were skipped.

| package | Perijove | JupyterHub | what of the hub it exercises |
|---|---|---|---|
"""

WORSE = """
## Tests that end worse than with JupyterHub

"""

REST = """
## Suites that are not run here

| packages | why |
|---|---|
"""


@dataclass(frozen=True)
class Suite:
    """How one suite ended; ``worse`` names tests that end better with JupyterHub."""

    name: str
    sdist: str
    counts: dict[str, int]
    worse: tuple[str, ...]
    problem: str = ""


def judge(results: dict[str, Any], baseline: dict[str, Any]) -> list[Suite]:
    """Each suite of a run, compared test by test."""
    judged = []
    for name, result in results.items():
        if result["status"] == "n/a":
            continue
        if "cases" not in result:
            judged.append(Suite(name, result["sdist"], {}, (), result.get("why", result["status"])))
            continue
        flaky = SUITES[name].get("flaky", ())
        cases = baseline.get(name, {}).get("cases", {})
        worse = tuple(
            test
            for test, before in sorted(cases.items())
            if test.split("::")[-1].split("[")[0] not in flaky
            and RANK[result["cases"].get(test, "error")] > RANK[before]
        )
        problem = "timeout" if result["status"] == "timeout" else ""
        judged.append(Suite(name, result["sdist"], result["counts"], worse, problem))
    return judged


def words(counts: dict[str, int]) -> str:
    """Counts in a cell of the table."""
    passed = counts["passed"] + counts["xfailed"]
    failed = counts["failed"] + counts["error"]
    parts = [f"{passed} passed", f"{failed} failed" if failed else ""]
    parts.append(f"{counts['skipped']} skipped" if counts["skipped"] else "")
    return ", ".join(filter(None, parts))


def page(report: dict[str, Any], baseline: dict[str, Any], reasons: dict[str, str]) -> str:
    """The page as Markdown."""
    text = HEAD.format(jupyterhub=baseline["jupyterhub"])
    for name, suite in report["suites"].items():
        before = baseline["suites"].get(name)
        peer = words(before["counts"]) if before else "not recorded"
        touches = SUITES[name].get("touches", "").replace("|", "\\|")
        package = suite["sdist"].replace("==", " ")
        text += f"| {package} | {words(suite['counts'])} | {peer} | {touches} |\n"
    text += WORSE
    worse = [test for suite in report["suites"].values() for test in suite["worse"]]
    text += "".join(f"- `{test}`: {reasons[test]}\n" for test in worse) or "None.\n"
    flaky = [f"{name} ({', '.join(s['flaky'])})" for name, s in SUITES.items() if s.get("flaky")]
    text += f"\nNot compared, since their outcome depends on timing: {'; '.join(flaky)}.\n"
    text += REST + "".join(f"| {names} | {why} |\n" for names, why in LEFT_OUT.items())
    return text


def main(words_given: list[str]) -> int:
    """The exit status."""
    baseline = json.loads((FOLDER / "suites" / "baseline.json").read_text())
    reasons: dict[str, str] = json.loads(REASONS.read_text())
    if words_given == ["--page"]:
        PAGE.write_text(page(json.loads(REPORT.read_text()), baseline, reasons))
        return 0
    suites = judge(json.loads(Path(words_given[0]).read_text()), baseline["suites"])
    bad = 0
    for suite in suites:
        if suite.problem:
            bad += 1
            print(f"{suite.name}: {suite.problem}")
        for test in suite.worse:
            bad += test not in reasons
            print(f"{suite.name}: worse: {test}: {reasons.get(test, 'no reason is given')}")
    print(f"{len(suites)} suites, {bad} unexcused problems")
    if "--write" in words_given and not bad:
        kept = {
            s.name: {"sdist": s.sdist, "counts": s.counts, "worse": list(s.worse)} for s in suites
        }
        REPORT.write_text(json.dumps({"suites": kept}, indent=1, sort_keys=True) + "\n")
        PAGE.write_text(page(json.loads(REPORT.read_text()), baseline, reasons))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
