"""Sharing servers: what owners give, what receivers got, and codes.

``user`` and ``server`` name the shared server; an empty server name is the
default one. ``owner`` is the same user, where ``name`` is the receiver.
"""

from perijove.wire.calls.call import Call, Listing, Reply, asks, lists, nothing, one, pages, query
from perijove.wire.models import NewShareCode, NoShare, Share, ShareCode, ShareCodePage, SharePage
from perijove.wire.requests import ShareCodeRequest, ShareRequest

_shares = pages(SharePage, Share)
_codes = pages(ShareCodePage, ShareCode)
_read_left = one(Share | NoShare)  # type: ignore[arg-type]


def _left(reply: Reply) -> Share | None:
    found = _read_left(reply)
    return found if isinstance(found, Share) else None


class GivenCalls:
    """What owners give of their servers."""

    @lists("GET /shares/{user}")
    def shares(self, user: str) -> Listing[Share]:
        """Who may use which of a user's servers."""
        return Listing(_shares, names={"user": user})

    @lists("GET /shares/{user}/{server}")
    def server_shares(self, user: str, server: str) -> Listing[Share]:
        """Who may use a server."""
        return Listing(_shares, names={"user": user, "server": server})

    @asks("POST /shares/{user}/{server}")
    def grant_share(self, user: str, server: str, share: ShareRequest) -> Call[Share]:
        """Give one user or group scopes on a server, on top of what they have of it."""
        names = {"user": user, "server": server}
        return Call(one(Share), names=names, body=share, repeatable=True)

    @asks("PATCH /shares/{user}/{server}")
    def revoke_share(self, user: str, server: str, share: ShareRequest) -> Call[Share | None]:
        """Take scopes back from one user or group; what is left, None for nothing."""
        names = {"user": user, "server": server}
        return Call(_left, names=names, body=share, repeatable=True)

    @asks("DELETE /shares/{user}/{server}")
    def revoke_shares(self, user: str, server: str) -> Call[None]:
        """Nobody but the owner may use the server any more."""
        return Call(nothing, names={"user": user, "server": server})


class ReceivedCalls:
    """What users and groups got from others."""

    @lists("GET /users/{name}/shared")
    def received_shares(self, name: str) -> Listing[Share]:
        """Which servers of others a user may use."""
        return Listing(_shares, names={"name": name})

    @asks("GET /users/{name}/shared/{owner}/{server}")
    def received_share(self, name: str, owner: str, server: str) -> Call[Share]:
        """What a user may do with one server of another."""
        return Call(one(Share), names={"name": name, "owner": owner, "server": server})

    @asks("DELETE /users/{name}/shared/{owner}/{server}")
    def leave_share(self, name: str, owner: str, server: str) -> Call[None]:
        """A user gives up what was given to them directly."""
        return Call(nothing, names={"name": name, "owner": owner, "server": server})

    @lists("GET /groups/{name}/shared")
    def group_shares(self, name: str) -> Listing[Share]:
        """Which servers the members of a group may use."""
        return Listing(_shares, names={"name": name})

    @asks("GET /groups/{name}/shared/{owner}/{server}")
    def group_share(self, name: str, owner: str, server: str) -> Call[Share]:
        """What the members of a group may do with one server."""
        return Call(one(Share), names={"name": name, "owner": owner, "server": server})

    @asks("DELETE /groups/{name}/shared/{owner}/{server}")
    def leave_group_share(self, name: str, owner: str, server: str) -> Call[None]:
        """A group gives up what was given to it."""
        return Call(nothing, names={"name": name, "owner": owner, "server": server})


class CodeCalls:
    """Codes that give access to a server to whoever gets to know them."""

    @lists("GET /share-codes/{user}")
    def share_codes(self, user: str) -> Listing[ShareCode]:
        """The valid codes of all of a user's servers, without the codes themselves."""
        return Listing(_codes, names={"user": user})

    @lists("GET /share-codes/{user}/{server}")
    def server_share_codes(self, user: str, server: str) -> Listing[ShareCode]:
        """The valid codes of a server, without the codes themselves."""
        return Listing(_codes, names={"user": user, "server": server})

    @asks("POST /share-codes/{user}/{server}")
    def create_share_code(
        self, user: str, server: str, fields: ShareCodeRequest | None = None
    ) -> Call[NewShareCode]:
        """A new code, in the answer's ``code``; it is never shown again."""
        return Call(one(NewShareCode), names={"user": user, "server": server}, body=fields)

    @asks("DELETE /share-codes/{user}/{server}")
    def revoke_share_codes(
        self, user: str, server: str, *, code: str | None = None, id: str | None = None
    ) -> Call[None]:
        """End one code, named by itself or by its id, or all of a server."""
        names = {"user": user, "server": server}
        return Call(nothing, names=names, query=query(code=code, id=id))
