"""Services: lists, and those that are added and removed at run time."""

import logging
from typing import Any

from starlette.responses import Response

from perijove.access.decide import Target
from perijove.access.operations import OPERATIONS
from perijove.domain.errors import Conflict, InvalidInput, NotFound, PluginError
from perijove.domain.users import Service
from perijove.people.grants import owner_of
from perijove.people.users import guard
from perijove.services.additions import read_addition, require_held, values_of
from perijove.web.api.operations import LENIENT, operation, read_body
from perijove.web.call import Call
from perijove.web.preferences import applied, prefers_lenient
from perijove.web.views import as_json, empty
from perijove.wire import models, requests

log = logging.getLogger("perijove.web")

SERVICE = "/services/{name}"


async def _require(call: Call, method: str) -> str:
    name = call.params["name"]
    await call.require(OPERATIONS[f"{method} {SERVICE}"].needs, Target.of_service(name))
    return name


async def _view(call: Call, service: Service) -> dict[str, Any]:
    roles = await call.rooms.registry.roles_of(service)
    return call.rooms.views.service(call.caller.grant, service, roles)


@operation("GET", "/services", "List services", answers={200: dict[str, models.Service]})
async def list_services(call: Call) -> Response:
    """The services that the caller may see, by name."""
    rows = call.visible(OPERATIONS["GET /services"].needs, "service")
    found = {}
    for service, roles in await call.rooms.registry.all_with_roles():
        if rows.all or service.name in rows.services:
            view = call.rooms.views.service(call.caller.grant, service, roles)
            if view:
                found[service.name] = view
    return as_json(found)


@operation("GET", SERVICE, "One service", answers={200: models.Service})
async def get_service(call: Call) -> Response:
    """A service, with the fields that the caller may read."""
    service = await call.rooms.registry.find(await _require(call, "GET"))
    if service is None:
        raise NotFound
    return as_json(await _view(call, service))


@operation(
    "POST",
    SERVICE,
    "Add a service",
    body=requests.ServiceRequest,
    body_required=True,
    header=(LENIENT,),
    answers={200: models.Service, 201: models.Service},
    errors=(409,),
)
async def add_service(call: Call) -> Response:
    """A service that runs elsewhere, kept across restarts; it gets no more than the caller has.

    200: there was one, and it stays as it was (``Prefer: handling=lenient``).
    """
    name = await _require(call, "POST")
    lenient, registry = prefers_lenient(call.request), call.rooms.registry
    status = 200
    try:
        service = await registry.find(name)
        if service is None:
            service, status = await _add(call, name), 201
        elif not lenient:
            raise Conflict(f"Service {name!r} already exists")
    except Conflict:
        # With lenient handling: another request added it at the same time.
        service = await registry.find(name) if lenient else None
        if service is None:
            raise
    return applied(as_json(await _view(call, service), status), lenient=lenient)


async def _add(call: Call, name: str) -> Service:
    """A new service as the body describes it. Raises Conflict when it exists."""
    body = await read_body(call, requests.ServiceRequest, "service")
    if body is None or not body.model_fields_set:
        raise InvalidInput("The body must describe the service, as in {'url': 'http://...'}")
    spec = read_addition(name, body.model_dump())
    maker = call.caller.user or call.caller.service
    assert maker is not None
    await require_held(call.rooms.grants, spec, owner_of(maker), call.caller.grant)
    guard(call.caller.admin, spec.admin)
    service = await call.rooms.registry.add(spec)
    await _route(call, service, present=True)
    return service


@operation(
    "PATCH",
    SERVICE,
    "Change a service",
    body=requests.ServiceRequest,
    body_required=True,
    answers={200: models.Service},
    errors=(405, 409),
)
async def change_service(call: Call) -> Response:
    """A service that was added at run time gets these fields; the others stay as they are.

    A new `api_token` ends the earlier one.
    """
    name = await _require(call, "PATCH")
    body = await read_body(call, requests.ServiceRequest, "service")
    if body is None or not body.model_fields_set:
        raise InvalidInput("The body must say what is to change, as in {'display': false}")
    registry = call.rooms.registry
    before = await registry.added(name)
    guard(call.caller.admin, before.spec.admin)
    spec = read_addition(name, {**values_of(before.spec), **body.model_dump(exclude_none=True)})
    maker = call.caller.user or call.caller.service
    assert maker is not None
    await require_held(call.rooms.grants, spec, owner_of(maker), call.caller.grant)
    guard(call.caller.admin, spec.admin)
    service = await registry.change(before, spec)
    await _route(call, before.service, present=False)
    await _route(call, service, present=True)
    return as_json(await _view(call, service))


@operation(
    "GET",
    f"{SERVICE}/health",
    "How a service is",
    answers={200: models.ServiceHealth},
)
async def get_service_health(call: Call) -> Response:
    """Whether a service answers now, and as which process it runs if the hub runs it."""
    name = call.params["name"]
    await call.require_for(f"GET {SERVICE}/health", Target.of_service(name))
    service = await call.rooms.registry.find(name)
    if service is None:
        raise NotFound
    health = await call.rooms.supervisor.health(service)
    return as_json(
        {
            "name": service.name,
            "managed": bool(service.command),
            "answers": health.answers,
            "status": health.status,
            "pid": health.pid,
        }
    )


@operation(
    "DELETE",
    SERVICE,
    "Remove a service",
    answers={200: None},
    errors=(405,),
)
async def remove_service(call: Call) -> Response:
    """Only services that were added at run time can go; their tokens end with them."""
    service = await call.rooms.registry.remove(await _require(call, "DELETE"))
    await _route(call, service, present=False)
    return empty(200)


async def _route(call: Call, service: Service, *, present: bool) -> None:
    """Tell the proxy. When it cannot be told now, the next comparison of routes does it."""
    route = call.rooms.registry.route_of(service)
    if route is None:
        return
    try:
        if present:
            await call.rooms.proxy.add_route(route)
        else:
            await call.rooms.proxy.delete_route(route.routespec)
    except PluginError as error:
        log.warning("The route of service %r waits for the next check: %s", service.name, error)
