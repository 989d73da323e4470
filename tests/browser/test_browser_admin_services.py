"""The admin page shows services: what they are, and whether they run and answer."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PASSWORD, HubProcess, free_port
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SERVICES = """
c.JupyterHub.services += [
    {{"name": "worker", "command": [{python!r}, "-c", "import time; time.sleep(600)"],
      "info": {{"contact": "<b>ada</b>"}}}},
    {{"name": "absent", "url": "http://127.0.0.1:{closed}"}},
]
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub with a service that runs, and one that does not answer."""
    made = HubProcess(tmp_path / "hub", SERVICES.format(python=sys.executable, closed=free_port()))
    yield made.start()
    made.end()


def test_an_admin_sees_services_with_their_health(page: Page, hub: HubProcess) -> None:
    page.goto(f"{hub.origin}/hub/login?next=%2Fhub%2Fadmin%23services")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(re.compile(r"/hub/admin"))
    page.locator("#tab-services").click()
    health = {
        name: page.locator(f"tr[data-service={name}] .service-health")
        for name in ("worker", "absent", "root")
    }
    expect(health["worker"]).to_have_text("runs")
    expect(health["absent"]).to_have_text("does not answer")
    expect(health["root"]).to_have_text("has no address to ask at")
    row = page.locator("tr[data-service=worker]")
    expect(row).to_contain_text("run by the hub")
    expect(row).to_contain_text("contact: <b>ada</b>")
