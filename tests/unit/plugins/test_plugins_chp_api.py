"""The client of the proxy's API: which connections it opens."""

from typing import Any

import aiohttp
import pytest

from perijove.domain.settings import HttpClientSettings
from perijove.plugins.chp_api import REQUEST_TIMEOUT_S, RouteApi

OPTIONS = HttpClientSettings(
    {"limit": 3, "use_dns_cache": False}, {"timeout": aiohttp.ClientTimeout(total=5)}
)


async def connection(url: str, http: HttpClientSettings) -> tuple[Any, float | None]:
    api = RouteApi(http=http)
    api.configure(url, "secret", None)
    session = await api._client()
    connector, timeout = session.connector, session.timeout.total
    await api.close()
    return connector, timeout


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http+unix://%2Fsrv%2Fproxy.sock"])
async def test_the_operators_options_count_where_they_apply(url: str) -> None:
    connector, timeout_s = await connection(url, OPTIONS)
    assert (connector.limit, timeout_s) == (3, 5)
    assert isinstance(connector, aiohttp.UnixConnector) is ("unix" in url)


async def test_without_options_a_request_has_a_limit_of_its_own() -> None:
    _, timeout_s = await connection("http://127.0.0.1:8001", HttpClientSettings())
    assert timeout_s == REQUEST_TIMEOUT_S
