"""Starlette's and FastAPI's way to the visitor that the ASGI middleware identified.

The functions are dependencies for FastAPI and plain functions of a request or
WebSocket for Starlette::

    @app.get("/")
    def page(user: Annotated[dict, Depends(current_user)]): ...
"""

from collections.abc import Callable

from starlette.requests import HTTPConnection

from perijove.hubauth import scopes
from perijove.hubauth.asgi import VISITOR
from perijove.hubauth.identity import UserModel
from perijove.hubauth.visits import NotAllowed, SignInNeeded, Visitor


def visitor_of(connection: HTTPConnection) -> Visitor:
    """All that is known about who sent the request. Raises RuntimeError without the middleware."""
    visitor = connection.scope.get(VISITOR)
    if not isinstance(visitor, Visitor):
        raise RuntimeError("HubAuthMiddleware is missing: app.add_middleware(HubAuthMiddleware)")
    return visitor


def optional_user(connection: HTTPConnection) -> UserModel | None:
    """The hub's model of the visitor, None for strangers."""
    return visitor_of(connection).user


def current_user(connection: HTTPConnection) -> UserModel:
    """The hub's model of the visitor; strangers are sent to sign in.

    Raises SignInNeeded, which the middleware answers.
    """
    user = optional_user(connection)
    if user is None:
        raise SignInNeeded
    return user


def require_scopes(*needed: str) -> Callable[[HTTPConnection], UserModel]:
    """A dependency as ``current_user`` that also needs one of these scopes; else 403."""

    def user_with_scope(connection: HTTPConnection) -> UserModel:
        user = current_user(connection)
        if not scopes.granted(needed, user.get("scopes", [])):
            raise NotAllowed(f"{user['name']} is not allowed here.")
        return user

    return user_with_scope


def xsrf_token(connection: HTTPConnection) -> str:
    """The token that forms of this visitor's pages send back in a field ``_xsrf``."""
    return visitor_of(connection).xsrf_token
