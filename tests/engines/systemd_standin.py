"""Stands for ``systemd-run`` and ``systemctl`` on a machine whose first process is not systemd.

A unit becomes a process of its user with the environment file that the unit names, and
a unit file in ``SYSTEMD_STANDIN``, which real tools can check. Of the properties, user,
group, folder and environment are acted on; limits and isolation are only written down.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["SYSTEMD_STANDIN"])


def run(arguments: list[str]) -> int:
    """``systemd-run``: start a transient service."""
    unit, working_directory, options = "", "/", {}
    properties: list[str] = []
    rest = list(arguments)
    while rest[0].startswith("--"):
        option, _, value = rest.pop(0)[2:].partition("=")
        if option in {"unit", "working-directory"}:
            value = value or rest.pop(0)
        if option == "unit":
            unit = value
        elif option == "working-directory":
            working_directory = value
        elif option == "property":
            properties.append(value)
        else:
            options[option] = value
    lines = ["[Unit]", f"Description={unit}", "[Service]", *properties]
    lines += [f"WorkingDirectory={working_directory}"]
    lines += [
        f"{key.replace('uid', 'User').replace('gid', 'Group')}={options[key]}"
        for key in ("uid", "gid")
        if key in options
    ]
    lines += [f"Slice={options['slice']}"] if "slice" in options else []
    lines += ["ExecStart=" + " ".join(shlex.quote(word) for word in rest), ""]
    (FOLDER / f"{unit}.service").write_text("\n".join(lines))
    environment = {"PATH": os.defpath}
    for entry in properties:
        if entry.startswith("EnvironmentFile="):
            for line in Path(entry.partition("=")[2]).read_text().splitlines():
                name, _, value = line.partition("=")
                environment[name] = "".join(shlex.split(value))
    process = subprocess.Popen(
        rest,
        cwd=working_directory,
        env=environment,
        user=int(options["uid"]),
        group=int(options["gid"]),
        extra_groups=[],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(FOLDER / f"{unit}.log").open("wb"),
        start_new_session=True,
    )
    (FOLDER / f"{unit}.pid").write_text(str(process.pid))
    return 0


def pid_of(unit: str) -> int | None:
    """The unit's process, if it lives."""
    try:
        pid = int((FOLDER / f"{unit.removesuffix('.service')}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return pid if state != "Z" else None


def control(arguments: list[str]) -> int:
    """``systemctl``: what the spawner asks of it."""
    match arguments:
        case ["--version"]:
            print("systemd 252 (252.38)")
        case ["is-active", unit]:
            return 0 if pid_of(unit) else 3
        case ["is-failed", unit]:
            return 1
        case ["reset-failed", unit]:
            return 0
        case ["stop", unit]:
            with contextlib.suppress(ProcessLookupError):
                while (pid := pid_of(unit)) is not None:
                    os.kill(pid, signal.SIGTERM)
                    time.sleep(0.1)
        case _:
            raise SystemExit(f"unknown: {arguments}")
    return 0


if __name__ == "__main__":
    called = Path(sys.argv[0]).name
    sys.exit(run(sys.argv[1:]) if called == "systemd-run" else control(sys.argv[1:]))
