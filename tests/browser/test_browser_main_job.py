"""The job that everything else serves: sign in, get JupyterLab, run a cell."""

import re

import pytest
from harness import PASSWORD, HubProcess, wait_for
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SPAWN_LIMIT_MS = 90_000
KERNEL_LIMIT_MS = 60_000


def send_form(page: Page, name: str) -> None:
    """Fill in and send the sign-in form as a person would."""
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")


def test_a_person_signs_in_and_a_notebook_cell_computes_over_the_proxy(
    page: Page, lab_hub: HubProcess
) -> None:
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))

    page.goto(lab_hub.origin)
    send_form(page, "ada")
    page.wait_for_url(re.compile(r"/user/ada/lab"), timeout=SPAWN_LIMIT_MS)
    page.locator(".jp-LauncherCard[data-category=Notebook]").first.click(timeout=KERNEL_LIMIT_MS)
    cell = page.locator(".jp-Notebook .jp-CodeCell .cm-content").first
    cell.click(timeout=KERNEL_LIMIT_MS)
    # JupyterLab forgets a cell that is run before the kernel has answered.
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=KERNEL_LIMIT_MS)
    page.keyboard.type("1+1")
    page.keyboard.press("Shift+Enter")

    answer = page.locator(".jp-OutputArea-executeResult .jp-OutputArea-output").first
    expect(answer).to_have_text("2", timeout=KERNEL_LIMIT_MS)
    kernels = [url for url in sockets if "/api/kernels/" in url]
    assert kernels, sockets
    assert all(url.startswith(f"ws://127.0.0.1:{lab_hub.port}/user/ada/") for url in kernels)


def test_a_stranger_is_turned_away_from_the_running_server(page: Page, lab_hub: HubProcess) -> None:
    lab_hub.add_users(["ada", "eve"])
    lab_hub.request_server("ada")
    wait_for("ada's server", lambda: lab_hub.servers().get("ada", {}).get("ready"), 90)

    page.goto(f"{lab_hub.origin}/hub/login?next=%2Fhub%2Fhome")
    send_form(page, "eve")
    page.wait_for_url(re.compile(r"/hub/home"))
    reply = page.goto(f"{lab_hub.origin}/user/ada/lab")

    assert reply is not None
    assert reply.status in (403, 404), page.url
    assert "jupyterlab" not in page.content().lower()
