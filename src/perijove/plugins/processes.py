"""Local processes: starting them cheaply, and never signalling the wrong one.

A process id is used again once its process is gone. So a process is known by
its id *and* the moment it began, which the kernel keeps; a signal is sent
through a pidfd (Linux) that was compared with that moment.
"""

import contextlib
import os
import signal
import subprocess
import sys
import weakref
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_children: "weakref.WeakValueDictionary[int, subprocess.Popen[bytes]]" = (
    weakref.WeakValueDictionary()
)


def remember(child: "subprocess.Popen[bytes]") -> None:
    """Let ``child_of`` find this process again, as long as somebody holds it."""
    _children[child.pid] = child


def child_of(pid: int) -> "subprocess.Popen[bytes] | None":
    """The running child of this process with that id, if it was remembered."""
    child = _children.get(pid)
    return child if child is not None and child.returncode is None else None


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Status:
    state: str
    birth: str


def _status(pid: int) -> _Status | None:
    """State letter and birth of a process; None when there is none."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
                text = file.read().decode(errors="replace")
        except OSError:
            return None
        # proc_pid_stat(5): the name in brackets may hold anything; state is field 3, start 22.
        fields = text.rpartition(")")[2].split()
        return _Status(fields[0], f"{_boot_id()}:{fields[19]}")
    listing = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, birth = listing.stdout.strip().partition(" ")
    return _Status(state[:1], birth.strip()) if state else None


def birth_of(pid: int) -> str:
    """When the process began, in the kernel's own terms; empty when it is gone."""
    status = _status(pid)
    return status.birth if status else ""


def is_alive(pid: int, birth: str = "") -> bool:
    """Whether this very process runs; a zombie does not. Without ``birth`` the id must do."""
    if pid <= 0:
        return False
    status = _status(pid)
    if status is None or status.state in {"Z", "X"}:
        return False
    return not birth or status.birth == birth


def find_leader(marks: dict[str, str]) -> int | None:
    """The session leader that was started with these environment variables (Linux).

    Processes of other users are seen by root only. Blocks.
    """
    wanted = {f"{key}={value}".encode() for key, value in marks.items()}
    for path in Path("/proc").glob("[0-9]*/environ"):
        pid = int(path.parent.name)
        try:
            found = wanted <= set(path.read_bytes().split(b"\0"))
            if found and os.getsid(pid) == pid and is_alive(pid):
                return pid
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return None


def send_signal(pid: int, number: int, birth: str = "", *, group: bool = False) -> bool:
    """Signal this very process; False when it is gone.

    ``group``: the processes of its group too, if it leads one. Raises
    PermissionError when it belongs to somebody else.
    """
    if not is_alive(pid, birth):
        return False
    with contextlib.ExitStack() as stack:
        handle = None
        if hasattr(os, "pidfd_open"):
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                return False
            stack.callback(os.close, handle)
            if not is_alive(pid, birth):
                return False
        try:
            if group and os.getpgid(pid) == pid != os.getpgrp():
                os.killpg(pid, number)
            elif handle is not None:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(pid, number)
        except ProcessLookupError:
            return False
    return True


def launch(cmd: list[str], env: dict[str, str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own. Blocks until the program is loaded.

    Without ``preexec_fn`` and without another user, Python can use vfork,
    which costs the same however big the hub's memory is. A directory that the
    process may not enter (a home on a network that refuses root) is replaced
    by ``/``.
    """
    options.setdefault("start_new_session", True)
    directory = options.get("cwd")
    try:
        child = subprocess.Popen(cmd, env=env, **options)
    except OSError as error:
        if directory is None or error.filename != str(directory):
            raise
        child = subprocess.Popen(cmd, env=env, **{**options, "cwd": "/"})
    remember(child)
    return child
