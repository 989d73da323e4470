"""Fixtures that start real hubs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import GATED_SERVER, GATED_SPAWNER, HubProcess, MakeHub


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[MakeHub]:
    """``make_hub(settings, db_url=...)``: a running hub; all it started ends with the test."""
    made: list[HubProcess] = []

    def make(settings: str = "", *, db_url: str = "", **options: object) -> HubProcess:
        hub = HubProcess(tmp_path / f"hub{len(made)}", settings, db_url, **options)  # type: ignore[arg-type]
        made.append(hub)
        return hub.start()

    yield make
    for hub in made:
        hub.end()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that opens the gate of gated servers; the test makes it."""
    return tmp_path / "gate-is-open"


@pytest.fixture
def gated_settings(gate: Path) -> str:
    """Configuration of servers whose start can be held at a chosen place."""
    return GATED_SPAWNER.format(gate=str(gate), python=sys.executable, server=str(GATED_SERVER))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show the end of the hubs' logs under a failed test."""
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        tmp_path = getattr(item, "funcargs", {}).get("tmp_path")
        for log in sorted(tmp_path.glob("hub*/hub.log")) if tmp_path else []:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
            report.sections.append((f"end of {log}", tail))  # type: ignore[attr-defined]
    return report
