"""A browser, and the single-user servers that people meet in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PERIJOVE, HubProcess, missing
from playwright.sync_api import Browser, Error, Page, sync_playwright
from two_people import House, Person, build

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PERIJOVE_TEST_PEERS", ROOT / ".cache" / "peers"))
SINGLEUSER_COMMANDS = {
    "perijove": [str(PERIJOVE), "singleuser"],
    "jupyterhub-6.1.1": [str(PEERS / "jupyterhub-6.1.1" / "bin" / "jupyterhub-singleuser")],
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium from ``PERIJOVE_TEST_CHROMIUM``, else from the PATH."""
    path = os.environ.get("PERIJOVE_TEST_CHROMIUM") or shutil.which("chromium")
    if not path:
        missing("there is no Chromium on the PATH")
    with sync_playwright() as playwright:
        # Each person's server has a host of its own in some tests; all are this machine.
        hosts = "--host-resolver-rules=MAP *.localhost 127.0.0.1"
        chromium = playwright.chromium.launch(executable_path=path, args=[hosts])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh browser profile; waits of at most 30 s."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture(params=sorted(SINGLEUSER_COMMANDS, reverse=True))
def singleuser_command(request: pytest.FixtureRequest) -> list[str]:
    """Command of a real single-user server: ours, then upstream's."""
    command = SINGLEUSER_COMMANDS[request.param]
    if not Path(command[0]).exists():
        missing(f"{command[0]} is not installed (scripts/peer_venv.sh)")
    return command


@pytest.fixture
def lab_hub(tmp_path: Path, singleuser_command: list[str]) -> Iterator[HubProcess]:
    """A running hub whose servers are real JupyterLabs."""
    hub = HubProcess(
        tmp_path / "hub",
        f"""
c.Spawner.cmd = {singleuser_command!r}
c.Spawner.args = {["--allow-root"] if os.geteuid() == 0 else []!r}
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 90
c.Spawner.http_timeout = 90
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
""",
    )
    try:
        yield hub.start()
    finally:
        hub.end()


@pytest.fixture(scope="module", params=["one domain", "subdomains"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A hub with ada's and mallory's servers, on one domain and with a domain for each."""
    made = build(tmp_path_factory.mktemp("house"), request.param == "subdomains")
    try:
        yield made
    finally:
        made.hub.end()


@pytest.fixture
def ada(house: House, browser: Browser) -> Iterator[Person]:
    """Ada, signed in at the hub; her server runs."""
    house.start("ada")
    person = Person(house, browser, "ada").sign_in()
    yield person
    person.context.close()


@pytest.fixture
def mallory(house: House, browser: Browser) -> Iterator[Person]:
    """Mallory, signed in at the hub; her server runs."""
    house.start("mallory")
    person = Person(house, browser, "mallory").sign_in()
    yield person
    person.context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Under a failed test, show what the page and the hub's log said; keep a picture."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed:  # type: ignore[attr-defined]
        house = arguments.get("house")
        if hub := arguments.get("lab_hub") or (house and house.hub):
            report.sections.append(("end of the hub's log", hub.log_end()))  # type: ignore[attr-defined]
        if page := arguments.get("page"):
            picture = ROOT / ".cache" / "browser" / f"{item.name}.png"
            try:
                page.screenshot(path=picture)
                text = page.locator("body").inner_text()[:2000]
            except Error as error:
                text = f"The page cannot be shown: {error}"
            report.sections.append((f"page {page.url} (picture: {picture})", text))  # type: ignore[attr-defined]
    return report
