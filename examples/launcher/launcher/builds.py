"""Environments, and building them: once each, however many visitors wait for it."""

import asyncio
import hashlib
import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launcher.settings import ENVIRONMENTS, EXAMPLE, IMAGES

Say = Callable[[str], None]


class BuildFailed(Exception):
    """The builder ended with an error; its log says more."""


@dataclass(frozen=True)
class Environment:
    """What visitors can choose. ``open``: the page of JupyterLab that they come to."""

    name: str
    title: str
    description: str
    open: str
    folder: Path

    @property
    def image(self) -> str:
        """The name of what is built from it; another one when a file changes."""
        digest = hashlib.sha256()
        for file in sorted(self.folder.rglob("*")):
            if file.is_file():
                digest.update(f"{file.relative_to(self.folder)}\0".encode() + file.read_bytes())
        return f"{self.name}-{digest.hexdigest()[:12]}"


def read_environments(folder: Path = ENVIRONMENTS) -> dict[str, Environment]:
    """All environments by name."""
    found = {}
    for file in sorted(folder.glob("*/environment.toml")):
        text = tomllib.loads(file.read_text())
        name = file.parent.name
        found[name] = Environment(
            name, text["title"], text["description"], text["open"], file.parent
        )
    return found


_building: dict[str, asyncio.Lock] = {}


async def build(environment: Environment, say: Say) -> str:
    """The image of the environment, built if need be. Raises BuildFailed."""
    image = environment.image
    async with _building.setdefault(image, asyncio.Lock()):
        folder = IMAGES / image
        if (folder / "ready").exists():
            say("This environment has been built before")
            return image
        shutil.rmtree(folder, ignore_errors=True)
        await _run_builder(environment, folder, say)
    return image


async def _run_builder(environment: Environment, target: Path, say: Say) -> None:
    builder = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE / "build_image.py"), str(environment.folder), str(target)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**20,
    )
    assert builder.stdout is not None
    try:
        async for line in builder.stdout:
            say(line.decode("utf-8", "replace").rstrip())
        if await builder.wait() != 0:
            raise BuildFailed
    finally:
        if builder.returncode is None:
            builder.kill()
