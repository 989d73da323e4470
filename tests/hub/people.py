"""A person with a browser that has no window: signs in, agrees, sends forms, signs out."""

import re

import httpx
from harness import PASSWORD, HubProcess, hidden_field


class Visitor:
    """Follows links and redirects, and fills in the hub's forms on the way."""

    def __init__(self, hub: HubProcess, name: str, password: str = PASSWORD) -> None:
        self.client = hub.browser()
        self.name, self._password = name, password
        self.confirmed: list[str] = []

    def open(self, url: str) -> httpx.Response:
        """A page, after signing in and agreeing where the hub asks for it."""
        page = self.client.get(url)
        if page.url.path == "/hub/login":
            fields = {"username": self.name, "password": self._password}
            page = self.send_form(page, str(page.url), **fields)
        if page.url.path == "/hub/api/oauth2/authorize" and page.status_code == 200:
            self.confirmed.append(page.text)
            scopes = re.findall(r'name="scopes"[^>]*value="([^"]*)"', page.text)
            fields = {"_xsrf": hidden_field(page.text, "_xsrf"), "scopes": scopes}
            page = self.client.post(str(page.url), data=fields)
        return page

    def send_form(self, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
        """Send the form of a page, with its XSRF field if it has one."""
        proof = {"_xsrf": hidden_field(page.text, "_xsrf")} if 'name="_xsrf"' in page.text else {}
        return self.client.post(str(page.url.join(action)), data={**fields, **proof})

    def sign_out(self) -> None:
        """Sign out at the hub."""
        end = self.client.get("/hub/logout")
        assert end.url.path in {"/hub/login", "/hub/logout"}, end.url
