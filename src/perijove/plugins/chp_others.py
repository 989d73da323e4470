"""Further proxies that get the same routes, beside the one that the hub depends on.

One that does not answer holds nobody up: it is told in the log, and the next
check of the routes brings it up to date.
"""

import asyncio
import logging
from typing import Any

from perijove.plugins.chp_api import ProxyRefused, RouteApi

log = logging.getLogger("perijove.plugins.chp")

Table = dict[str, dict[str, Any]]


class OtherProxies:
    """The REST APIs of further proxies, by URL."""

    def __init__(self, apis: dict[str, RouteApi]) -> None:
        self._apis = apis

    async def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Tell all of them of a change."""
        await asyncio.gather(
            *(self._ask(url, api, method, path, body) for url, api in self._apis.items())
        )

    async def agree(self, table: Table) -> None:
        """Bring into a listing of the first proxy what the others know.

        Activity is the latest of all. A route that not all of them have alike is
        listed without a target, which is nobody's wish and so will be put right.
        """
        found = await asyncio.gather(
            *(self._ask(url, api, "GET", "", None) for url, api in self._apis.items())
        )
        for other in found:
            if other is None:
                continue
            for key in table.keys() | other.keys():
                mine, theirs = table.get(key), other.get(key)
                if mine is None or theirs is None or mine["target"] != theirs["target"]:
                    table[key] = {**(mine or theirs or {}), "target": ""}
                else:
                    latest = max(mine.get("last_activity", ""), theirs.get("last_activity", ""))
                    mine["last_activity"] = latest

    @staticmethod
    async def _ask(
        url: str, api: RouteApi, method: str, path: str, body: dict[str, Any] | None
    ) -> Any:
        try:
            return await api.request(method, path, body, retry=False)
        except (OSError, RuntimeError, ValueError) as error:
            kind = "refuses" if isinstance(error, ProxyRefused) else "does not answer"
            log.warning("The proxy at %s %s %s %s: %s", url, kind, method, path, error)
            return None

    async def close(self) -> None:
        """Close the connections."""
        for api in self._apis.values():
            await api.close()
