"""Flask's way to let the hub identify visitors.

::

    app = Flask(__name__)
    install(app)

    @app.get(f"{prefix}")
    def page():
        return f"Hello {current_user()['name']}"
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Flask, Response, current_app, request
from flask.typing import ResponseReturnValue

from perijove.hubauth import scopes
from perijove.hubauth.gate import HubGate
from perijove.hubauth.identity import UserModel
from perijove.hubauth.link import CACHE_MAX_AGE_S, HubLink
from perijove.hubauth.visits import Answer, Visitor
from perijove.hubauth.wsgi import VISITOR, HubAuthMiddleware, request_of

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]

GATE = "perijove.gate"
"""The key of the gate in ``app.extensions``."""


def install(
    app: Flask,
    gate: HubGate | None = None,
    *,
    allow_anonymous: bool = False,
    cache_max_age_s: float = CACHE_MAX_AGE_S,
    link: HubLink | None = None,
) -> HubGate:
    """Put the middleware in front of an application; the arguments are the middleware's.

    Templates get ``hub_user`` and ``xsrf_token``.
    """
    middleware = HubAuthMiddleware(
        app.wsgi_app,
        gate,
        allow_anonymous=allow_anonymous,
        cache_max_age_s=cache_max_age_s,
        link=link,
    )
    app.wsgi_app = middleware  # type: ignore[method-assign]
    app.extensions[GATE] = middleware.gate

    @app.context_processor
    def variables() -> dict[str, object]:
        visitor = visitor_of_request()
        return {"hub_user": visitor.user, "xsrf_token": visitor.xsrf_token}

    return middleware.gate


def visitor_of_request() -> Visitor:
    """All that is known about who sent the request. Raises RuntimeError without ``install``."""
    visitor = request.environ.get(VISITOR)
    if not isinstance(visitor, Visitor):
        raise RuntimeError("perijove.hubauth.flask.install(app) was not called")
    return visitor


def current_user() -> UserModel | None:
    """The hub's model of the visitor; None for strangers, where they are let through."""
    return visitor_of_request().user


def xsrf_token() -> str:
    """The token that forms of this visitor's pages send back in a field ``_xsrf``."""
    return visitor_of_request().xsrf_token


def authenticated(view: View[P]) -> View[P]:
    """Send strangers to sign in, in an application that lets them through elsewhere."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        visitor = visitor_of_request()
        if visitor.user is not None:
            return view(*args, **kwargs)
        gate: HubGate = current_app.extensions[GATE]
        return _response(gate.refuse(request_of(request.environ), visitor))

    return guarded


def require_scopes(*needed: str) -> Callable[[View[P]], View[P]]:
    """As ``authenticated``, and refuse with 403 who has none of these scopes."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            user = current_user() or {}
            if not scopes.granted(needed, user.get("scopes", [])):
                return _response(Answer(403, f"{user['name']} is not allowed here."))
            return view(*args, **kwargs)

        return authenticated(guarded)

    return decorate


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    for name, value in answer.header_pairs():
        if name == "set-cookie":
            response.headers.add(name, value)
        else:
            response.headers[name] = value
    return response
