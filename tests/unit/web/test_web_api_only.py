"""A hub whose route covers the REST API alone shows nothing of its pages."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from web_house import WebHouse

API_ONLY = 'c.JupyterHub.hub_routespec = "/hub/api/"\n'
HANDLER = """
from perijove.compat.base import BaseHandler

class Hello(BaseHandler):
    def get(self):
        self.write("hello")

c.JupyterHub.extra_handlers = [("/hello", Hello), ("/api/hello", Hello)]
"""


@pytest.fixture
async def api_only(tmp_path: Path) -> AsyncIterator[WebHouse]:
    """A hub without pages."""
    made = await WebHouse.open(tmp_path, API_ONLY + HANDLER)
    yield made
    await made.close()


def browser(house: WebHouse) -> httpx.AsyncClient:
    """A client without credentials that follows no redirect."""
    transport = httpx.ASGITransport(app=house.built.application)
    return httpx.AsyncClient(transport=transport, base_url="http://hub.test")


PAGES = (
    *("/", "/x", "/user/ada/", "/hub", "/hub/", "/hub/login", "/hub/logout", "/hub/home"),
    *("/hub/spawn", "/hub/spawn/ada", "/hub/token", "/hub/admin", "/hub/user/ada/"),
    *("/hub/api-docs", "/hub/logo", "/hub/error/404", "/hub/static/css/perijove.css"),
    *("/hub/user-redirect/x", "/hub/accept-share", "/hub/hello"),
)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
async def test_no_page_answers_and_errors_are_json(api_only: WebHouse, method: str) -> None:
    async with browser(api_only) as client:
        for path in PAGES:
            answer = await client.request(method, path, headers={"accept": "text/html"})
            assert answer.status_code == 404, path
            assert answer.headers["content-type"] == "application/json"
            if method != "HEAD":
                assert answer.json()["status"] == 404


async def test_the_api_health_and_handlers_below_the_api_are_there(api_only: WebHouse) -> None:
    async with browser(api_only) as client:
        for path in ("/hub/api/", "/hub/api/health", "/hub/health", "/hub/api/hello"):
            assert (await client.get(path)).status_code == 200, path
        assert (await client.get("/hub/api/static/css/perijove.css")).status_code == 200
    assert (await api_only.root.get("/user")).json()["name"] == "root"


async def test_a_stranger_at_the_oauth_confirmation_is_refused_and_not_sent_to_sign_in(
    api_only: WebHouse,
) -> None:
    async with browser(api_only) as client:
        answer = await client.get("/hub/api/oauth2/authorize?client_id=x&response_type=code")
    assert answer.status_code == 403
    assert answer.json() == {"status": 403, "message": "Missing or invalid credentials."}
