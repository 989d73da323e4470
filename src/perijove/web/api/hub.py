"""The hub itself: what it is, how it is, and its end."""

from starlette.responses import Response

from perijove import INTERFACE_VERSION
from perijove.access.decide import THE_HUB
from perijove.domain.errors import NotAuthenticated
from perijove.telemetry import metrics
from perijove.web.api.operations import Text, operation, read_body
from perijove.web.call import Call
from perijove.web.views import as_json
from perijove.wire import models, requests


@operation("GET", "/", "The hub's version", auth="none", answers={200: models.Info}, also=("",))
async def get_version(call: Call) -> Response:
    """The version, for everybody."""
    response = as_json({"version": INTERFACE_VERSION})
    configured = {name.lower() for name in call.rooms.settings.pages.headers}
    if "access-control-allow-origin" not in configured:
        response.headers["access-control-allow-origin"] = "*"
    return response


@operation("GET", "/info", "What the hub runs on", answers={200: models.InfoDetail})
async def get_info(call: Call) -> Response:
    """Versions of the hub, its Python and its plug-ins."""
    await call.require_for("GET /info", THE_HUB)
    return as_json(call.rooms.info())


@operation(
    "GET",
    "/health",
    "Whether the hub answers",
    auth="none",
    answers={200: Text("text/html", empty=True)},
)
async def get_health(call: Call) -> Response:
    """200 while the hub takes requests."""
    return Response(b"", headers={"content-type": "text/html"})


@operation(
    "GET",
    "/metrics",
    "Prometheus metrics",
    auth="optional",
    answers={200: Text("text/plain")},
    errors=(403,),
)
async def get_metrics(call: Call) -> Response:
    """All metrics in Prometheus' text format."""
    if call.rooms.settings.security.authenticate_prometheus:
        await call.identify()
        if not call.caller.known:
            raise NotAuthenticated
        await call.require_for("GET /metrics", THE_HUB)
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)


@operation(
    "POST",
    "/shutdown",
    "Shut the hub down",
    body=requests.ShutdownRequest,
    answers={202: models.Message},
)
async def shut_down(call: Call) -> Response:
    """Stop the hub, and with it the proxy and the servers, as asked or configured."""
    await call.require_for("POST /shutdown", THE_HUB)
    body = await read_body(call, requests.ShutdownRequest, "shutdown") or requests.ShutdownRequest()
    await call.rooms.shutdown(body.proxy, body.servers)
    return as_json({"message": "Shutting down Hub"}, 202)
