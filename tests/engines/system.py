"""What engines need of the machine: programs, a person with an account, folders others can read."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import missing

IS_ROOT = os.geteuid() == 0


def program(name: str, package: str) -> str:
    """The path of a program; the test fails or is skipped without it."""
    debian = os.environ.get("PERIJOVE_TEST_DEBIAN", "")
    folders = [f"{debian}/usr/sbin", f"{debian}/usr/bin", os.environ.get("PATH", "")]
    found = shutil.which(name, path=":".join([*folders, "/usr/sbin", "/sbin"]))
    if found is None:
        missing(f"there is no {name} (Debian package {package})")
    return found


def need_root(what: str) -> None:
    """Leave the test out where nobody may do what it does; CI is root."""
    if not IS_ROOT:
        pytest.skip(f"{what} needs root")


@contextmanager
def person(name: str, *needs: Path) -> Iterator[str]:
    """An account to start servers for: ``name``, made for the time of the block.

    Only root can make one and start processes for it, and only where that account
    can reach what it ``needs``; else the account that runs the tests has to do.
    """
    if not IS_ROOT:
        yield pwd.getpwuid(os.geteuid()).pw_name
        return
    subprocess.run(["useradd", "-m", "-s", "/bin/bash", name], check=True, capture_output=True)
    try:
        reached = [
            subprocess.run(["runuser", "-u", name, "--", "test", "-x", path]).returncode == 0
            for path in needs
        ]
        yield name if all(reached) else "root"
    finally:
        subprocess.run(["userdel", "-r", name], check=True, capture_output=True)


@contextmanager
def readable_folder() -> Iterator[Path]:
    """A folder that other accounts can read, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="perijove-engines-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Stop a process that a test started."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)
