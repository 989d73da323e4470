#!/usr/bin/env python3
"""Write the lock files: exact versions of everything an install needs (``make lock``).

One resolution by pip is made for the widest set (``test.txt``); the others are
the parts of it that their extras reach, so no two files disagree on a version.
Needs a Python with pip and the network; installs nothing.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
# What builds an editable install of the checkout itself, so that this is pinned too.
BUILD = ["hatchling>=1.26", "editables>=0.5"]
SETS = {
    "test": ["singleuser", "postgresql", "docs", "dev"],
    "hub": ["postgresql"],
    "quickstart": ["singleuser"],
}


def canonical(name: str) -> str:
    """The one spelling of a distribution's name (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-")


def resolve(extras: list[str], constraints: dict[str, str]) -> dict[str, str]:
    """Name -> version of all that perijove with these extras needs, itself left out."""
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "constraints.txt"
        known.write_text("".join(f"{name}=={version}\n" for name, version in constraints.items()))
        report = Path(folder) / "report.json"
        wanted = f"{ROOT}[{','.join(extras)}]"
        command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        command += ["--dry-run", "--ignore-installed", "-c", str(known), "--report", str(report)]
        subprocess.run([*command, wanted, *BUILD], check=True)
        found = json.loads(report.read_text())["install"]
    versions = {canonical(i["metadata"]["name"]): i["metadata"]["version"] for i in found}
    del versions["perijove"]
    return dict(sorted(versions.items()))


def main() -> None:
    """Write all files of SETS."""
    FOLDER.mkdir(exist_ok=True)
    everything: dict[str, str] = {}
    for name, extras in SETS.items():
        versions = resolve(extras, everything)
        everything = everything or versions
        head = f"# Made by `make lock` for perijove[{','.join(extras)}]; do not edit.\n"
        pins = "".join(f"{package}=={version}\n" for package, version in versions.items())
        (FOLDER / f"{name}.txt").write_text(head + pins)
        print(f"requirements/{name}.txt: {len(versions)} packages")


if __name__ == "__main__":
    main()
