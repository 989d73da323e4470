"""Groups: lists, members, properties."""

from collections.abc import Mapping, Sequence
from typing import Any

from perijove.wire.calls.call import (
    PAGE_SIZE,
    Call,
    Listing,
    asks,
    lists,
    nothing,
    one,
    pages,
)
from perijove.wire.models import Group, GroupPage
from perijove.wire.requests import GroupProperties, GroupRequest, GroupsRequest, MembersRequest


class GroupCalls:
    """Groups and their members."""

    @lists("GET /groups")
    def groups(self, *, page_size: int = PAGE_SIZE) -> Listing[Group]:
        """All groups that the token may see."""
        return Listing(pages(GroupPage, Group), page_size=page_size)

    @asks("POST /groups")
    def create_groups(
        self, names: Sequence[str], *, users: Sequence[str] = (), exist_ok: bool = False
    ) -> Call[list[Group]]:
        """Several groups with the same members: all of them, or none.

        With ``exist_ok`` those that exist stay as they are, and the others are made.
        """
        body = GroupsRequest(groups=list(names), users=list(users))
        return Call(one(list[Group]), body=body, lenient=exist_ok)

    @asks("GET /groups/{name}")
    def group(self, name: str) -> Call[Group]:
        """One group."""
        return Call(one(Group), names={"name": name})

    @asks("POST /groups/{name}")
    def create_group(
        self, name: str, *, users: Sequence[str] = (), exist_ok: bool = False
    ) -> Call[Group]:
        """A group, maybe with members.

        Raises Conflict when it exists, unless ``exist_ok``: it stays as it is.
        """
        body = GroupRequest(users=list(users))
        return Call(one(Group), names={"name": name}, body=body, lenient=exist_ok)

    @asks("DELETE /groups/{name}")
    def delete_group(self, name: str) -> Call[None]:
        """A group goes; its members stay users."""
        return Call(nothing, names={"name": name})

    @asks("POST /groups/{name}/users")
    def add_members(self, name: str, users: Sequence[str]) -> Call[Group]:
        """Put users into the group; who is in it already stays in it."""
        return Call(one(Group), names={"name": name}, body=_members(users), repeatable=True)

    @asks("DELETE /groups/{name}/users")
    def remove_members(self, name: str, users: Sequence[str]) -> Call[Group]:
        """Take users out of the group; who is not in it is no error."""
        return Call(one(Group), names={"name": name}, body=_members(users))

    @asks("PUT /groups/{name}/properties")
    def set_group_properties(self, name: str, properties: Mapping[str, Any]) -> Call[Group]:
        """Replace what is kept with the group: any JSON object."""
        body = GroupProperties.model_validate(dict(properties))
        return Call(one(Group), names={"name": name}, body=body)


def _members(users: Sequence[str]) -> MembersRequest:
    return MembersRequest(users=list(users))
