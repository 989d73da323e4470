"""Users: lists, accounts, activity."""

from collections.abc import Sequence
from typing import Literal

from perijove.wire.calls.call import (
    PAGE_SIZE,
    Call,
    Listing,
    asks,
    done,
    lists,
    nothing,
    one,
    pages,
    query,
)
from perijove.wire.models import User, UserPage
from perijove.wire.requests import ActivityRequest, UserChange, UserFields, UsersRequest

State = Literal["active", "inactive", "ready"]
Sort = Literal["id", "-id", "name", "-name", "last_activity", "-last_activity"]


class UserCalls:
    """Users and their accounts."""

    @lists("GET /users")
    def users(
        self,
        *,
        state: State | None = None,
        name_filter: str | None = None,
        sort: Sort | None = None,
        include_stopped_servers: bool = False,
        page_size: int = PAGE_SIZE,
    ) -> Listing[User]:
        """All users that the token may see.

        ``state``: only those with a server that is active (running, starting or
        stopping), with none, or with one that is ready. ``name_filter``: part of
        the name. ``sort``: ``-`` in front turns the order round.
        """
        return Listing(
            pages(UserPage, User),
            query=query(
                state=state,
                name_filter=name_filter,
                sort=sort,
                include_stopped_servers=include_stopped_servers,
            ),
            page_size=page_size,
        )

    @asks("POST /users")
    def create_users(
        self, names: Sequence[str], *, admin: bool = False, exist_ok: bool = False
    ) -> Call[list[User]]:
        """Several accounts; those that exist already are left out of the answer.

        Raises Conflict when all of them exist. With ``exist_ok`` they are in the answer,
        as they are, and the call may be repeated.
        """
        body = UsersRequest(usernames=list(names), admin=admin)
        return Call(one(list[User]), body=body, lenient=exist_ok)

    @asks("GET /users/{name}")
    def user(self, name: str, *, include_stopped_servers: bool = False) -> Call[User]:
        """One user."""
        return Call(
            one(User),
            names={"name": name},
            query=query(include_stopped_servers=include_stopped_servers),
        )

    @asks("POST /users/{name}")
    def create_user(
        self, name: str, fields: UserFields | None = None, *, exist_ok: bool = False
    ) -> Call[User]:
        """An account. Raises Conflict when it exists, unless ``exist_ok``: it stays as it is."""
        return Call(one(User), names={"name": name}, body=fields, lenient=exist_ok)

    @asks("PATCH /users/{name}")
    def edit_user(self, name: str, change: UserChange) -> Call[User]:
        """Another name, other rights, another auth_state; what is not set stays."""
        return Call(one(User), names={"name": name}, body=change)

    @asks("DELETE /users/{name}")
    def delete_user(self, name: str, *, wait_s: int | None = None) -> Call[bool]:
        """Stop the user's servers and delete the account. False: a server is still stopping."""
        return Call(done, names={"name": name}, wait_s=wait_s)

    @asks("POST /users/{name}/activity")
    def report_activity(self, name: str, activity: ActivityRequest) -> Call[None]:
        """When the user, or the user's servers, were last active; earlier moments do nothing."""
        return Call(nothing, names={"name": name}, body=activity, repeatable=True)

    @asks("POST /users/{name}/admin-access")
    def grant_admin_access(self, name: str) -> Call[None]:
        """Has no effect; kept for old clients. Raises Forbidden where admins have no access."""
        return Call(nothing, names={"name": name}, repeatable=True)
