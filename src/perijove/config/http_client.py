"""Options of the HTTP client with which the hub asks the proxy and servers.

They go to aiohttp as they are, so whatever it does not know is refused here, at
the start, and not at the first request.
"""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from perijove.config.sections import JupyterHubHTTPClient
from perijove.config.words import check_dict, check_keys
from perijove.domain.settings import HttpClientSettings


def build_http_client(section: JupyterHubHTTPClient) -> HttpClientSettings:
    """The options, checked. Raises ConfigError for those that aiohttp does not have."""
    if not section.connector_options and not section.session_options:
        return HttpClientSettings()
    # Imported here: it takes ten megabytes, and hubs without options never need it.
    import aiohttp

    session = _checked("session_options", section.session_options, aiohttp.ClientSession)
    timeout = session.get("timeout")
    if isinstance(timeout, int | float) and not isinstance(timeout, bool):
        session["timeout"] = aiohttp.ClientTimeout(total=timeout)
    return HttpClientSettings(
        connector_options=_checked(
            "connector_options", section.connector_options, aiohttp.TCPConnector
        ),
        session_options=session,
    )


def _checked(option: str, given: Mapping[str, Any], kind: type) -> dict[str, Any]:
    what = f"c.JupyterHubHTTPClient.{option}"
    known = tuple(name for name in signature(kind).parameters if name not in ("loop", "connector"))
    check_keys(what, given, known)
    return check_dict(what, given)
