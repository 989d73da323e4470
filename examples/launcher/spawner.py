"""Starts a JupyterLab in an environment that the launcher has built.

``user_options`` are the launcher's: ``image``, the name of the built environment, and
``token``, with which the visitor's browser comes.
"""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import Unicode

IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")


class ImageSpawner(SimpleLocalProcessSpawner):
    """A process for each visitor, with a home that goes when the server stops."""

    images = Unicode(help="The folder with the built environments.").tag(config=True)
    cmd = [sys.executable, "-m", "jupyterlab"]

    @property
    def image(self) -> Path:
        """The built environment. Raises ValueError for one that is not there."""
        name = str(self.user_options.get("image", ""))
        folder = Path(self.images, name)
        if not IMAGE_NAME.fullmatch(name) or not (folder / "ready").exists():
            raise ValueError(f"There is no environment {name!r}")
        return folder

    async def start(self) -> Any:
        """Put the environment's files into a fresh home, and start JupyterLab there."""
        shutil.copytree(self.image / "files", self.home_dir, dirs_exist_ok=True)
        return await super().start()

    def get_args(self) -> list[str]:
        """JupyterLab as it would run without a hub, at the place that the hub has chosen."""
        arguments = [
            f"--ServerApp.ip={self.ip}",
            f"--ServerApp.port={self.port}",
            f"--ServerApp.base_url={self.server.base_url}",
            "--ServerApp.port_retries=0",
            "--ServerApp.trust_xheaders=True",
            "--ServerApp.open_browser=False",
        ]
        return [*arguments, "--allow-root"] if os.geteuid() == 0 else arguments

    def get_env(self) -> dict[str, Any]:
        """The token, and the kernel of the environment. Nothing here is the hub's."""
        return {
            **super().get_env(),
            "JUPYTER_TOKEN": self.user_options["token"],
            "JUPYTER_CONFIG_PATH": str(self.image / "etc" / "jupyter"),
            "JUPYTER_PATH": str(self.image / "share" / "jupyter"),
        }

    async def stop(self, now: bool = False) -> None:
        """Stop JupyterLab and forget what the visitor did."""
        await super().stop(now=now)
        shutil.rmtree(self.home_dir, ignore_errors=True)
