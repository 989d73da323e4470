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


def _hubs(folder: Path, plugins: Path) -> Iterator[MakeHub]:
    made: list[HubProcess] = []

    def make(settings: str = "", **options: object) -> HubProcess:
        hub = HubProcess(
            folder / f"hub{len(made)}",
            settings,
            command=[str(plugins / "perijove")],
            **options,  # type: ignore[arg-type]
        )
        made.append(hub)
        return hub.start()

    yield make
    for hub in made:
        hub.end()


@pytest.fixture
def plugin_hub(tmp_path: Path, plugins: Path) -> Iterator[MakeHub]:
    """``plugin_hub(settings)``: a running hub with plug-ins; all it started ends with the test."""
    yield from _hubs(tmp_path, plugins)


@pytest.fixture(scope="module")
def shared_plugin_hub(tmp_path_factory: pytest.TempPathFactory, plugins: Path) -> Iterator[MakeHub]:
    """The same for all tests of a file: a hub that its tests leave as good as they found it."""
    yield from _hubs(tmp_path_factory.mktemp("shared"), plugins)


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
        arguments = getattr(item, "funcargs", {})
        tmp_path, shared = arguments.get("tmp_path"), arguments.get("hub")
        logs = sorted(tmp_path.glob("hub*/hub.log")) if tmp_path else []
        if isinstance(shared, HubProcess) and shared.log not in logs:
            logs.append(shared.log)
        for log in logs:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-60:])
            report.sections.append((f"end of {log}", tail))  # type: ignore[attr-defined]
    return report
