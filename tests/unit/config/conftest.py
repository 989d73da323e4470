"""What tests of the configuration share: an own working directory, and hubs made of options."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from perijove.config.hub import JupyterHub

MakeHub = Callable[..., JupyterHub]


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no variables that the hub would read."""
    monkeypatch.chdir(tmp_path)
    for name in ("JPY_COOKIE_SECRET", "JUPYTERHUB_CRYPT_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def quiet_logging() -> Iterator[None]:
    """Leaves logging as it was."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)


@pytest.fixture
def make_hub() -> MakeHub:
    """A hub with these options of ``c.JupyterHub``; ``sections`` are those of other classes."""

    def make(sections: dict[str, dict[str, Any]] | None = None, **options: Any) -> JupyterHub:
        return JupyterHub(config=Config({"JupyterHub": options, **(sections or {})}))

    return make
