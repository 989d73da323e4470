"""The hub's own sign-in form, sent as a browser sends it."""

import httpx
from harness import HubProcess, hidden_field


def send_form(
    hub: HubProcess, name: str, password: str, path: str = "/hub/login"
) -> tuple[httpx.Client, httpx.Response]:
    """Fill in and send the form at ``path``: the browser, and the answer (redirects unfollowed)."""
    browser = hub.browser()
    page = browser.get(path)
    fields = {"username": name, "password": password, "_xsrf": hidden_field(page.text, "_xsrf")}
    return browser, browser.post(path, data=fields, follow_redirects=False)


def is_signed_in(browser: httpx.Client, name: str) -> bool:
    """Whether the hub shows this browser the home of that person."""
    page = browser.get("/hub/home")
    return page.status_code == 200 and page.url.path == "/hub/home" and name in page.text
