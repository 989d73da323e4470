"""The launcher example, as a visitor without an account meets it."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from harness import HubProcess, wait_for
from launcher_kit import launcher_hub, start
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

START_LIMIT_MS = 90_000
KERNEL_LIMIT_MS = 60_000


@pytest.fixture
def lab_hub(tmp_path: Path) -> Iterator[HubProcess]:
    """The example, whose sessions end soon after nobody uses them."""
    hub = launcher_hub(tmp_path / "hub", LAUNCHER_IDLE_S="20")
    try:
        start(hub)
        yield hub
    finally:
        hub.end()


def test_a_visitor_launches_computes_leaves_and_finds_a_friendly_page(
    page: Page, lab_hub: HubProcess
) -> None:
    page.goto(lab_hub.origin)
    expect(page.get_by_role("heading", level=1)).to_have_text("Start a notebook")
    page.get_by_role("radio", name="Planets").check()
    page.get_by_role("button", name="Launch").click()

    page.wait_for_url(re.compile(r"/launches/"))
    expect(page.get_by_role("log")).to_contain_text("Wrote down Saturn", timeout=START_LIMIT_MS)
    page.wait_for_url(re.compile(r"/user/visitor-\w+/lab"), timeout=START_LIMIT_MS)

    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    cell.click(timeout=KERNEL_LIMIT_MS)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=KERNEL_LIMIT_MS)
    page.keyboard.press("Shift+Enter")
    answer = page.locator(".jp-OutputArea-executeResult .jp-OutputArea-output").first
    expect(answer).to_have_text("288", timeout=KERNEL_LIMIT_MS)

    session = page.url.partition("?")[0]
    stranger = httpx.get(session, trust_env=False)
    assert re.match(r"/user/visitor-\w+/login\?", stranger.headers["location"])
    page.goto(lab_hub.origin)
    wait_for(
        "the session to end",
        lambda: httpx.get(session, trust_env=False).status_code == 404,
        90,
    )
    wait_for("its processes to end", lambda: not lab_hub.server_processes())
    homes = lab_hub.config.parent / "data" / "homes"
    wait_for("its files to go", lambda: not list(homes.iterdir()))

    reply = page.goto(session)
    assert reply is not None
    assert reply.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("This session has ended")
    page.get_by_role("link", name="Start a new one").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Start a notebook")
