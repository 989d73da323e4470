"""Requests from a test to the hub that runs in the same process.

They are made by ``requests`` in a thread, so that the event loop goes on serving.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import requests
from tornado.httputil import url_concat

from perijove.compat.orm.people import User as StoredUser
from perijove.compat.roles import assign_default_roles, update_roles
from perijove.kit.urls import join
from perijove.plugins.context import PluginServer

if TYPE_CHECKING:
    from perijove.testing.hub import MockHub


class _AsyncRequests:
    """``requests`` whose functions (``get``, ``post`` ...) give futures."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="requests")

    def submit(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        """The future of a call that is made in the thread."""
        return asyncio.wrap_future(self._thread.submit(call, *args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        call = getattr(requests, name)
        return lambda *args, **kwargs: self.submit(call, *args, **kwargs)


async_requests = _AsyncRequests()
"""``await async_requests.get(url)``"""


class AsyncSession(requests.Session):
    """A browser: it keeps cookies, and its requests look like visits. They give futures."""

    def __init__(self) -> None:
        super().__init__()
        self.headers.setdefault("Sec-Fetch-Mode", "navigate")

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """The future of the response."""
        return async_requests.submit(super().request, *args, **kwargs)


# -- addresses ----------------------------------------------------------------------
def public_host(app: "MockHub") -> str:
    """``scheme://host:port`` where people reach the hub."""
    if app.subdomain_host:
        return str(app.subdomain_host)
    return PluginServer.from_url(app.proxy.public_url).host


def public_url(app: "MockHub", user_or_service: Any = None, path: str = "") -> str:
    """The public URL of the hub, or of a user's or service's server; ``path`` is added."""
    host = public_host(app)
    if user_or_service is None:
        prefix = str(app.base_url)
    else:
        prefix = user_or_service.prefix
        host = getattr(user_or_service, "host", "") or host
    return host + (join(prefix, path) if path else prefix)


# -- people -------------------------------------------------------------------------
def find_user(db: Any, name: str, app: "MockHub | None" = None) -> Any:
    """What is stored of a user, or the user of ``app``."""
    row = StoredUser.find(db, name)
    return row if app is None else app.users[row.id]


def add_user(db: Any, app: "MockHub | None" = None, **kwargs: Any) -> Any:
    """Add or change a user: ``name``, ``admin``, ``roles`` (names). Gives the user of ``app``."""
    roles = kwargs.pop("roles", None)
    row = find_user(db, kwargs["name"])
    if row is None:
        row = StoredUser(**kwargs)
        db.add(row)
    else:
        for name, value in kwargs.items():
            setattr(row, name, value)
    db.commit()
    if roles:
        update_roles(db, row, roles)
    else:
        assign_default_roles(db, row)
    return row if app is None else app.users[row.id]


def auth_header(db: Any, name: str) -> dict[str, str]:
    """The header of a request with a new token of this user. Raises KeyError."""
    user = find_user(db, name)
    if user is None:
        raise KeyError(f"there is no user {name!r}")
    return {"Authorization": f"token {user.new_api_token()}"}


# -- requests -----------------------------------------------------------------------
async def api_request(
    app: "MockHub",
    *api_path: str,
    method: str = "get",
    noauth: bool = False,
    bypass_proxy: bool = False,
    name: str = "admin",
    **kwargs: Any,
) -> Any:
    """Call the REST API as user ``name``, unless cookies, a token or ``noauth`` are given.

    ``bypass_proxy`` asks the hub itself; ``kwargs`` are those of ``requests``.
    """
    base = app.hub.url if bypass_proxy else public_url(app, path="hub")
    url = join(base, "api", *api_path)
    headers = {"Sec-Fetch-Mode": "cors", **kwargs.pop("headers", {})}
    cookies = kwargs.get("cookies")
    if "Authorization" not in headers and not noauth and cookies is None:
        headers |= auth_header(app.db, name)
    if cookies is not None and "_xsrf" in cookies and not noauth:
        url = url_concat(url, {"_xsrf": cookies["_xsrf"]})
    return await getattr(async_requests, method)(url, headers=headers, **kwargs)


def get_page(path: str, app: "MockHub", hub: bool = True, **kwargs: Any) -> Any:
    """The future of a page of the hub; without ``hub``, of any path below the base URL."""
    if "://" in path:
        raise ValueError(f"{path!r} is no path of the hub")
    prefix = app.hub.base_url if hub else app.base_url
    headers = {"Sec-Fetch-Mode": "navigate", **kwargs.pop("headers", {})}
    return async_requests.get(join(public_host(app), prefix, path), headers=headers, **kwargs)


async def sign_in(app: "MockHub", name: str) -> Any:
    """The cookies of a browser in which ``name`` signed in with the form."""
    browser: Any = AsyncSession()
    login_url = public_url(app, path="hub/login")
    form = await browser.get(login_url)
    form.raise_for_status()
    answer = await browser.post(
        url_concat(login_url, {"_xsrf": form.cookies["_xsrf"]}),
        data={"username": name, "password": name},
        allow_redirects=False,
    )
    answer.raise_for_status()
    # Signing in changes what proves a form's origin; a page brings the new cookie.
    home = await browser.get(public_url(app, path="hub/home"), allow_redirects=False)
    home.raise_for_status()
    return browser.cookies
