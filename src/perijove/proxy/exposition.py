"""The metrics page. Imported only where metrics are served, since the library is heavy."""

from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from perijove.proxy.httpd import Asked, Handler, Reply
from perijove.proxy.metrics import Metrics


def metrics_page(collect: Callable[[], Awaitable[Metrics]]) -> Handler:
    """Answers ``GET /metrics``: the proxy's own counters, then those of the process."""

    async def page(asked: Asked) -> Reply:
        if asked.path != "/metrics":
            return Reply(404)
        if asked.method not in ("GET", "HEAD"):
            return Reply(405, fields=(("Allow", "GET, HEAD"),))
        own = "\n".join((await collect()).lines()).encode() + b"\n"
        return Reply(200, own + generate_latest(REGISTRY), CONTENT_TYPE_LATEST)

    return page
