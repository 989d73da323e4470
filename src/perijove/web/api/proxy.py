"""The proxy's table, seen through the hub."""

import logging

from starlette.responses import Response

from perijove.access.decide import THE_HUB
from perijove.access.operations import OPERATIONS
from perijove.domain.errors import InvalidInput, PluginError
from perijove.web.api.operations import operation, read_body
from perijove.web.api.paging import PARAMETERS, page_of
from perijove.web.call import Call
from perijove.web.views import as_json, empty
from perijove.wire import models, requests

log = logging.getLogger("perijove.web")

NEEDS = OPERATIONS["GET /proxy"].needs


@operation(
    "GET",
    "/proxy",
    "The proxy's routes",
    query=PARAMETERS,
    answers={200: dict[str, models.Route] | models.RoutePage},
)
async def list_routes(call: Call) -> Response:
    """The hub's routes as the proxy has them, by routespec."""
    await call.require(NEEDS, THE_HUB)
    page = page_of(call)
    routes = await call.rooms.proxy.routes()
    chosen = sorted(routes)[page.offset : page.offset + page.limit]
    items = {
        spec: {
            "routespec": routes[spec].routespec,
            "target": routes[spec].target,
            "data": routes[spec].data,
        }
        for spec in chosen
    }
    return as_json(page.answer(call, items, len(routes)))


@operation("POST", "/proxy", "Compare and mend all routes", answers={200: None})
async def check_routes(call: Call) -> Response:
    """Make the proxy's table what it should be, now."""
    await call.require(NEEDS, THE_HUB)
    await call.rooms.reconciler.check()
    return empty(200)


@operation(
    "PATCH",
    "/proxy",
    "Announce a proxy at another address",
    body=requests.ProxyChange,
    body_required=True,
    answers={200: None},
)
async def move_proxy(call: Call) -> Response:
    """Talk to the proxy at another address or with another token from now on.

    400 when no proxy answers there: then it stays with the old address.
    """
    await call.require(NEEDS, THE_HUB)
    body = await read_body(call, requests.ProxyChange, "proxy")
    if body is None:
        raise InvalidInput("The body must be a JSON object with api_url or auth_token")
    if body.api_url is None and body.auth_token is None:
        await call.rooms.reconciler.check()
        return empty(200)
    undo: dict[str, str | None] = {"api_url": None, "auth_token": None}
    try:
        undo = call.rooms.proxy.reconfigure(api_url=body.api_url, auth_token=body.auth_token)
        await call.rooms.reconciler.check()
    except PluginError as error:
        call.rooms.proxy.reconfigure(**undo)
        log.warning("The proxy stays where it was: %s", error)
        raise InvalidInput("No proxy answers there with this token; nothing has changed") from error
    return empty(200)
