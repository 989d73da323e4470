"""podman's Docker-compatible socket on loopback's machine, with a storage of its own.

The one image is an empty tree whose folders of programs are links into ``/usr``;
containers mount the host's ``/usr`` and the environment of the plug-ins, read-only.
They use the host's network: a bridge's address exists only while a container is
attached to it, so a hub must not be told to use one here.
"""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from harness import wait_for
from system import end_process, need_root, program

IMAGE = "localhost/hostroot:1"

_CONFIGURATION = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
"""
_FOLDERS = ("usr", "opt", "etc", "tmp", "proc", "sys", "dev", "run", "root", "home/jovyan")
_PEOPLE = "root:x:0:0::/root:/bin/sh\njovyan:x:1000:1000::/home/jovyan:/bin/sh\n"


@dataclass(frozen=True)
class Podman:
    """A running engine; ``environment`` is what its clients need."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def ask(self, *arguments: str) -> str:
        """What the command line says. Raises CalledProcessError."""
        done = subprocess.run(
            [*self.command, *arguments],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def containers(self) -> list[str]:
        """Names of the running ones."""
        return self.ask("ps", "--format", "{{.Names}}").split()


@contextmanager
def running_podman(folder: Path) -> Iterator[Podman]:
    """An engine with the image, until the end of the block; its containers end with it."""
    command = program("podman", "podman")
    program("runc", "runc")
    need_root("podman with a storage of its own")
    (folder / "containers.conf").write_text(_CONFIGURATION)
    socket = folder / "podman.sock"
    environment = {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "DOCKER_HOST": f"unix://{socket}",
    }
    storage = (f"--root={folder}/storage", f"--runroot={folder}/run", "--storage-driver=vfs")
    podman = Podman((command, *storage), environment)
    podman.ask(
        *("import", "--change", "ENV HOME=/home/jovyan", "--change", "WORKDIR /home/jovyan"),
        *(str(_make_tree(folder)), IMAGE),
    )
    with (folder / "podman.log").open("wb") as log:
        service = subprocess.Popen(
            [*podman.command, "system", "service", "--time=0", environment["DOCKER_HOST"]],
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        wait_for("the Docker socket", lambda: _answers(socket))
        yield podman
    finally:
        podman.ask("rm", "--all", "--force", "--time=1")
        end_process(service)


def _answers(socket: Path) -> bool:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
        try:
            return client.get("http://docker/_ping").status_code == 200
        except httpx.TransportError:
            return False


def _make_tree(folder: Path) -> Path:
    """An archive of the image's root."""
    tree = folder / "tree"
    for name in _FOLDERS:
        (tree / name).mkdir(parents=True)
    (tree / "tmp").chmod(0o1777)
    (tree / "home" / "jovyan").chmod(0o777)
    (tree / "etc" / "passwd").write_text(_PEOPLE)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    archive = folder / "image.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(tree, ".")
    return archive
