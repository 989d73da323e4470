"""Real hubs in an environment that holds other people's plug-ins (scripts/plugins_venv.sh)."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import HubProcess, missing
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = Path(os.environ.get("PERIJOVE_TEST_PLUGINS", ROOT / ".cache" / "plugins"))

MakeHub = Callable[..., HubProcess]


@pytest.fixture(scope="session")
def plugins() -> Path:
    """The ``bin`` of the environment with the plug-ins."""
    if not (PLUGINS / "bin" / "perijove").exists():
        missing(f"{PLUGINS} is not made (scripts/plugins_venv.sh)")
    return PLUGINS / "bin"


@pytest.fixture
def plugin_hub(tmp_path: Path, plugins: Path) -> Iterator[MakeHub]:
    """``plugin_hub(settings)``: a running hub with plug-ins; all it started ends with the test."""
    made: list[HubProcess] = []

    def make(settings: str = "", **options: object) -> HubProcess:
        hub = HubProcess(
            tmp_path / f"hub{len(made)}",
            settings,
            command=[str(plugins / "perijove")],
            **options,  # type: ignore[arg-type]
        )
        made.append(hub)
        return hub.start()

    yield make
    for hub in made:
        hub.end()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium from ``PERIJOVE_TEST_CHROMIUM``, else from the PATH."""
    path = os.environ.get("PERIJOVE_TEST_CHROMIUM") or shutil.which("chromium")
    if not path:
        missing("there is no Chromium on the PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show the end of the hubs' logs under a failed test."""
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        tmp_path = getattr(item, "funcargs", {}).get("tmp_path")
        for log in sorted(tmp_path.glob("hub*/hub.log")) if tmp_path else []:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-60:])
            report.sections.append((f"end of {log}", tail))  # type: ignore[attr-defined]
    return report
