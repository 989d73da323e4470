"""Every path of the hub below its prefix, and what answers it."""

from collections.abc import Callable

from perijove.oauth import metadata
from perijove.web.api import (  # noqa: F401 - imported for the operations they declare
    authorizations,
    events,
    groups,
    hub,
    oauth,
    proxy,
    servers,
    services,
    shares,
    tokens,
    users,
)
from perijove.web.api.document import show_document
from perijove.web.api.oauth import show_metadata
from perijove.web.api.operations import DECLARED
from perijove.web.call import Handler
from perijove.web.pages import home, signing, spawning
from perijove.web.pages import oauth as oauth_pages  # noqa: F401 - for what it declares
from perijove.web.pages.errors import ErrorPages, proxy_error_page
from perijove.web.routing import Routes

ANY = ("GET", "POST", "PUT", "PATCH", "DELETE")


def static_prefix(hub_prefix: str, *, api_only: bool) -> str:
    """Where scripts and styles are; a route that covers the API alone must lead there, too."""
    return f"{hub_prefix}api/static/" if api_only else f"{hub_prefix}static/"


def build_routes(pages: ErrorPages, hub_prefix: str, *, api_only: bool = False) -> Routes:
    """The route table. ``api_only``: of all pages only the OAuth confirmation is there."""
    routes = Routes()
    for declared in DECLARED:
        for path in declared.paths:
            routes.add(declared.method, f"/api{path}", declared.endpoint)
    routes.add("GET", "/api/openapi.json", show_document)
    routes.add("GET", metadata.PATH, show_metadata)
    routes.add("GET", "/health", home.health)
    routes.add("GET", "/metrics", home.metrics_page)
    static = static_prefix("/", api_only=api_only)
    routes.add("GET", f"{static}{{path:path}}", home.static_file)
    if not api_only:
        routes.add("GET", "/error/{code}", proxy_error_page(pages, hub_prefix))
        _add_pages(routes.add)
    return routes


def _add_pages(add: Callable[[str, str, Handler], None]) -> None:
    add("GET", "/", home.front_door)
    add("GET", "/home", home.show_home)
    add("GET", "/token", home.show_tokens)
    add("GET", "/admin", home.show_admin)
    add("GET", "/api-docs", home.show_api)
    add("GET", "/accept-share", home.show_share)
    add("POST", "/accept-share", home.accept_share)
    add("GET", "/logo", home.logo)
    add("POST", "/security/csp-report", home.csp_report)
    add("GET", "/login", signing.show_login)
    add("POST", "/login", signing.submit_login)
    add("GET", "/logout", signing.sign_out)
    for path in ("/spawn", "/spawn/{user}", "/spawn/{user}/{server}"):
        add("GET", path, spawning.show_spawn)
        add("POST", path, spawning.submit_spawn)
    for path in ("/spawn-pending/{user}", "/spawn-pending/{user}/{server}"):
        add("GET", path, spawning.show_pending)
    add("GET", "/user-redirect/{path:path}", spawning.user_redirect)
    for method in ANY:
        add(method, "/user/{user}", spawning.stopped_server)
        add(method, "/user/{user}/{rest:path}", spawning.stopped_server)
