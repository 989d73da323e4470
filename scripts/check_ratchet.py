#!/usr/bin/env python3
"""Compare a report of the conformance suite with the ratchet.

    scripts/check_ratchet.py REPORT            exit 1 when an area of the report passed fewer cases
    scripts/check_ratchet.py REPORT --raise    write higher counts into the ratchet

The ratchet (tests/conformance/ratchet.json) maps an area to the number of cases
that Perijove is known to pass. Areas that the report does not have are left
alone, so a part of the suite can be compared too. Counts are only ever raised.
"""

import argparse
import json
import sys
from pathlib import Path

RATCHET = Path(__file__).resolve().parents[1] / "tests" / "conformance" / "ratchet.json"


def compare(
    passed: dict[str, int], ratchet: dict[str, int]
) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
    """Areas that fell and areas that rose, each with (count in the ratchet, count now)."""
    fell: dict[str, tuple[int, int]] = {}
    rose: dict[str, tuple[int, int]] = {}
    for area, now in passed.items():
        before = ratchet.get(area, 0)
        if now < before:
            fell[area] = (before, now)
        elif now > before:
            rose[area] = (before, now)
    return fell, rose


def main(arguments: list[str]) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="JSON written by the suite's --report")
    parser.add_argument("--ratchet", type=Path, default=RATCHET)
    parser.add_argument("--raise", dest="write", action="store_true", help="write higher counts")
    options = parser.parse_args(arguments)

    report = json.loads(options.report.read_text())
    areas = report["areas"]
    if not areas:
        print(f"{options.report}: no case ran", file=sys.stderr)
        return 1
    ratchet = json.loads(options.ratchet.read_text())
    fell, rose = compare({area: row["passed"] for area, row in areas.items()}, ratchet)

    for area, (before, now) in fell.items():
        print(f"FELL   {area}: {now} passed, {before} needed (of {areas[area]['total']})")
    for area, (before, now) in rose.items():
        print(f"raised {area}: {now} passed, {before} needed (of {areas[area]['total']})")
    if fell:
        for name in report["failed"]:
            print(f"  failed: {name}")
        return 1
    if rose and options.write:
        ratchet.update({area: now for area, (_, now) in rose.items()})
        options.ratchet.write_text(json.dumps(ratchet, indent=1) + "\n")
        print(f"wrote {options.ratchet}")
    elif rose:
        print(f"more passes than needed: {Path(sys.argv[0]).name} {options.report} --raise")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
