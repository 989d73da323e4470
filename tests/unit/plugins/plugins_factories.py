"""Values and objects that tests of plug-ins start from."""

from datetime import UTC, datetime
from typing import Any

from perijove.domain.ports import HubAddress
from perijove.domain.servers import Server, State, Wish
from perijove.domain.users import User
from perijove.plugins.context import HubContext, PluginServer, PluginSpawnerRow
from perijove.plugins.spawner import Spawner

ADDRESS = HubAddress(
    base_url="/base/",
    hub_prefix="/base/hub/",
    api_url="http://127.0.0.1:18400/base/hub/api",
    url="http://127.0.0.1:18400/base/hub/",
)


def make_user(name: str = "ada", user_id: int = 1, **kwargs: Any) -> User:
    return User(
        id=user_id,
        name=name,
        admin=kwargs.get("admin", False),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        last_activity=None,
        cookie_id="c" * 32,
    )


def make_server(name: str = "", user: User | None = None, **kwargs: Any) -> Server:
    user = user or make_user()
    values: dict[str, Any] = {
        "id": 7,
        "user_id": user.id,
        "user_name": user.name,
        "name": name,
        "display_name": None,
        "wanted": Wish.UP,
        "state": State.STARTING,
        "epoch": 1,
        "oauth_client_id": f"jupyterhub-user-{user.name}",
    }
    return Server(**(values | kwargs))


def make_context(**kwargs: Any) -> HubContext:
    return HubContext(**({"address": ADDRESS} | kwargs))


def make_spawner(
    kind: type[Spawner],
    *,
    user: str = "ada",
    name: str = "",
    context: HubContext | None = None,
    groups: tuple[str, ...] = (),
    **kwargs: Any,
) -> Any:
    """A spawner as the hub would make it, for a server at ``/base/user/NAME/``."""
    context = context or make_context()
    owner = context.user(make_user(user), groups)
    row = PluginSpawnerRow(id=7, name=name, user=owner)
    spawner = kind(
        user=owner,
        hub=context.hub,
        orm_spawner=row,
        config=context.config,
        **kwargs,
    )
    base = owner.base_url + (f"{name}/" if name else "")
    spawner.server = PluginServer(base_url=base)
    return spawner
