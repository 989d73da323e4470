"""What the caller of a plug-in's handler may do, in the words that plug-ins ask with."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler

from perijove.access.grammar import parse_scopes
from perijove.compat import stored
from perijove.compat.scopes import check_scope_filter, has_scope
from perijove.web.call import Call
from perijove.web.caller import token_in


class RightsMethods(RequestHandler):
    """The part of ``BaseHandler`` that deals with scopes and tokens."""

    if TYPE_CHECKING:  # what BaseHandler adds

        @property
        def _hub_call(self) -> Call: ...

        @property
        def db(self) -> Any: ...

    @property
    def expanded_scopes(self) -> frozenset[str]:
        """Every scope that this request was made with."""
        return self._hub_call.caller.grant.scopes

    @property
    def parsed_scopes(self) -> Mapping[str, Any]:
        """Scope to its filters; ``Scope.ALL`` for one without."""
        return parse_scopes(self.expanded_scopes)

    def has_scope(self, scope: str) -> bool:
        """Whether this request was made with that scope."""
        return has_scope(scope, self.expanded_scopes)

    def get_scope_filter(self, req_scope: str) -> Callable[[Any, str], bool]:
        """A function ``(resource, kind)`` that tells whether the scope reaches a resource.

        ``kind`` is ``user``, ``server``, ``group`` or ``service``.
        """
        held = parse_scopes(self.expanded_scopes).get(req_scope)

        def reached(resource: Any, kind: str) -> bool:
            return held is not None and check_scope_filter(held, resource, kind)

        return reached

    def get_auth_token(self) -> str | None:
        """The token that came with the request."""
        return token_in(self.request.headers.get("Authorization"))

    def get_token(self) -> Any:
        """What is stored of that token, or None."""
        secret = self.get_auth_token()
        return stored.APIToken.find(self.db, secret) if secret else None
