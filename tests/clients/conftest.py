"""Programs of other people, in environments of their own, that talk to a real hub."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import HubProcess, MakeHub, missing

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PERIJOVE_TEST_PEERS", ROOT / ".cache" / "peers"))


def peer_python(name: str) -> str:
    """The Python of an environment that ``scripts/peer_venv.sh --clients`` makes."""
    python = PEERS / name / "bin" / "python"
    if not python.exists():
        missing(f"{python} is not there (scripts/peer_venv.sh --clients)")
    return str(python)


@pytest.fixture(scope="session")
def clients_python() -> str:
    """Upstream's library and culler, Flask and FastAPI, none of it ours."""
    return peer_python("clients")


@pytest.fixture(scope="session")
def authlib_python() -> str:
    """Flask and Authlib, nothing of any hub."""
    return peer_python("authlib")


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[MakeHub]:
    """``make_hub(settings)``: a running hub; all it started ends with the test."""
    made: list[HubProcess] = []

    def make(settings: str = "", **options: object) -> HubProcess:
        hub = HubProcess(tmp_path / f"hub{len(made)}", settings, **options)  # type: ignore[arg-type]
        made.append(hub)
        return hub.start()

    yield make
    for hub in made:
        hub.end()
