"""The hub itself, its proxy, and whose credential something is."""

from perijove.wire.calls.call import Call, Listing, asks, lists, nothing, one, pages, text
from perijove.wire.models import (
    Info,
    InfoDetail,
    Message,
    OAuthMetadata,
    OAuthToken,
    OAuthTokenState,
    Route,
    RoutePage,
    Service,
    ServiceIdentity,
    User,
    UserIdentity,
)
from perijove.wire.requests import (
    OAuthExchange,
    OAuthIntrospection,
    OAuthRevocation,
    ProxyChange,
    ShutdownRequest,
)


class HubCalls:
    """The hub itself."""

    @asks("GET /")
    def version(self) -> Call[Info]:
        """The version of the hub's interfaces. Takes no token."""
        return Call(one(Info))

    @asks("GET /info")
    def info(self) -> Call[InfoDetail]:
        """What the hub runs on: versions, Python, plug-ins."""
        return Call(one(InfoDetail))

    @asks("GET /health")
    def health(self) -> Call[None]:
        """Return if the hub takes requests. Takes no token."""
        return Call(nothing)

    @asks("GET /metrics")
    def metrics(self) -> Call[str]:
        """All metrics, in Prometheus' text format."""
        return Call(text)

    @asks("POST /shutdown")
    def shut_down(self, what: ShutdownRequest | None = None) -> Call[Message]:
        """Stop the hub, and with it the proxy and the servers, as asked or configured."""
        return Call(one(Message), body=what)

    @asks("GET /user")
    def who_am_i(self) -> Call[UserIdentity | ServiceIdentity]:
        """Whose token this is, and what it may do."""
        return Call(one(UserIdentity | ServiceIdentity))  # type: ignore[arg-type]

    @asks("GET /authorizations/token/{token}")
    def token_owner(self, token: str) -> Call[User | Service]:
        """Whose token another one is; the old way, ``who_am_i`` with it is the new one."""
        return Call(one(User | Service), names={"token": token})  # type: ignore[arg-type]

    @asks("GET /authorizations/cookie/{cookie_name}/{cookie_value}")
    def cookie_owner(self, cookie_name: str, cookie_value: str) -> Call[User]:
        """Whose login cookie it is; an old way that old services use."""
        return Call(one(User), names={"cookie_name": cookie_name, "cookie_value": cookie_value})

    @asks("POST /oauth2/token")
    def exchange_code(self, exchange: OAuthExchange) -> Call[OAuthToken]:
        """Turn the code that an OAuth client got into a token (RFC 6749, section 4.1.3)."""
        return Call(one(OAuthToken), body=exchange, form=True)

    @asks("POST /oauth2/introspect")
    def introspect_token(self, token: OAuthIntrospection) -> Call[OAuthTokenState]:
        """What a token is, asked by an OAuth client that it concerns (RFC 7662)."""
        return Call(one(OAuthTokenState), body=token, form=True)

    @asks("POST /oauth2/revoke")
    def revoke_oauth_token(self, token: OAuthRevocation) -> Call[None]:
        """End a token that was issued to this OAuth client (RFC 7009)."""
        return Call(nothing, body=token, form=True, repeatable=True)

    @asks("GET /.well-known/oauth-authorization-server")
    def oauth_metadata(self) -> Call[OAuthMetadata]:
        """Where the OAuth endpoints are, and what they can (RFC 8414). Takes no token."""
        return Call(one(OAuthMetadata))


class ProxyCalls:
    """The proxy's routes, seen through the hub."""

    @lists("GET /proxy")
    def routes(self) -> Listing[Route]:
        """The hub's routes, as the proxy has them."""
        return Listing(pages(RoutePage, Route))

    @asks("POST /proxy")
    def check_routes(self) -> Call[None]:
        """Make the proxy's routes what they should be, now."""
        return Call(nothing, repeatable=True)

    @asks("PATCH /proxy")
    def move_proxy(self, change: ProxyChange) -> Call[None]:
        """Tell the hub that the proxy is at another address, or has another token."""
        return Call(nothing, body=change, repeatable=True)
