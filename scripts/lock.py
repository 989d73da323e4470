#!/usr/bin/env python3
"""Write the lock files: exact versions of everything an install needs (``make lock``).

One resolution by pip is made for the widest set (``test.txt``); the others are
the parts of it that their extras reach, so no two files disagree on a version.
Versions are chosen for the oldest Python that we support, whatever runs this.
Needs a Python of at least 3.11 with pip, and the network; installs nothing.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
# What builds an editable install of the checkout itself, so that this is pinned too.
BUILD = ["hatchling>=1.26", "editables>=0.5"]
OLDEST_PYTHON = "3.11.0"
SETS = {
    "test": ["singleuser", "postgresql", "http2", "docs", "dev"],
    "hub": ["postgresql", "http2"],
    "quickstart": ["singleuser"],
    "plugins": ["singleuser", "postgresql"],
}
# NAME.in: what a set has besides. Other people's packages, which perijove itself never asks for.


def canonical(name: str) -> str:
    """The one spelling of a distribution's name (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-")


def besides(name: str) -> list[str]:
    """The requirements in NAME.in."""
    file = FOLDER / f"{name}.in"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def requirements(extras: list[str]) -> list[str]:
    """What pyproject.toml asks for, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    return wanted


def resolve(extras: list[str], others: list[str], constraints: dict[str, str]) -> dict[str, str]:
    """Name -> version of all that perijove with these extras needs, and ``others``."""
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "constraints.txt"
        known.write_text("".join(f"{name}=={version}\n" for name, version in constraints.items()))
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        command += ["--dry-run", "--ignore-installed", "-c", str(known), "--report", str(report)]
        if not others:
            # pip chooses for another Python only among wheels, which is what people get anyway;
            # some of the others come as source alone, and tests run them on this Python.
            command += ["--python-version", OLDEST_PYTHON, "--only-binary", ":all:"]
        command += ["--target", folder]
        subprocess.run([*command, *requirements(extras), *others, *BUILD], check=True)
        found = json.loads(report.read_text())["install"]
    versions = {canonical(i["metadata"]["name"]): i["metadata"]["version"] for i in found}
    return dict(sorted(versions.items()))


def main() -> None:
    """Write all files of SETS."""
    FOLDER.mkdir(exist_ok=True)
    everything: dict[str, str] = {}
    for name, extras in SETS.items():
        others = besides(name)
        versions = resolve(extras, others, everything)
        everything = everything or versions
        more = f" and {name}.in" if others else ""
        head = f"# Made by `make lock` for perijove[{','.join(extras)}]{more}; do not edit.\n"
        pins = "".join(f"{package}=={version}\n" for package, version in versions.items())
        (FOLDER / f"{name}.txt").write_text(head + pins)
        print(f"requirements/{name}.txt: {len(versions)} packages")


if __name__ == "__main__":
    main()
