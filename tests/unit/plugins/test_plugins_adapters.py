"""The authenticator and the proxy behind their ports."""

from typing import Any

import pytest
from plugins_factories import make_context, make_user
from traitlets.config import Config

from perijove.domain.errors import ConfigError, PluginError, Refusal
from perijove.domain.ports import AuthModel
from perijove.domain.routes import Route
from perijove.plugins.adapters import AuthenticatorAdapter, ProxyAdapter
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.proxy import Proxy
from perijove.plugins.spawner import SpawnException

OPTIONS = {"public_url": "http://127.0.0.1:18403", "host_routing": False}


class Fixed(Authenticator):
    """Answers and refreshes with what the test says."""

    answer: Any = "ada"
    fresh: Any = True
    seen: list[Any] = []

    async def authenticate(self, handler: Any, data: Any) -> Any:
        self.seen.append((handler, data))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        self.seen.append((user.name, handler))
        return self.fresh


def make(kind: type[Authenticator] = Fixed, **options: Any) -> Any:
    Fixed.seen = []
    options.setdefault("allow_all", True)
    context = make_context(
        config=Config({"Authenticator": options}), handler_for=lambda request: f"h:{request}"
    )
    return AuthenticatorAdapter(kind, context)


async def test_an_answer_becomes_a_model_with_its_handler() -> None:
    adapter = make()
    assert await adapter.authenticate("request", {"username": "ada"}) == AuthModel("ada")
    assert Fixed.seen == [("h:request", {"username": "ada"})]
    assert adapter.class_name == "Fixed"
    adapter.authenticator.answer = None
    assert await adapter.authenticate(None, None) is None


async def test_all_facts_of_a_dict_are_taken_over() -> None:
    adapter = make(manage_groups=True, manage_roles=True)
    adapter.authenticator.answer = {
        "name": "Ada",
        "admin": 1,
        "auth_state": {"t": 1},
        "user_info": {"n": 2},
        "groups": ["b", "a", "b"],
        "roles": [{"name": "r"}],
    }
    assert await adapter.authenticate(None, {}) == AuthModel(
        "ada", True, {"t": 1}, True, ("b", "a"), ({"name": "r"},), {"n": 2}
    )


@pytest.mark.parametrize("answer", [{"name": "ada", "admin": "no"}, b"ada", {"name": None}, 5])
async def test_an_answer_that_could_be_taken_for_more_is_refused(answer: Any) -> None:
    adapter = make()
    adapter.authenticator.answer = answer
    with pytest.raises(PluginError, match=r"admin|name"):
        await adapter.authenticate("request", {})


async def test_managed_groups_must_be_given() -> None:
    adapter = make(manage_groups=True)
    for answer in ("ada", {"name": "ada", "groups": "one"}):
        adapter.authenticator.answer = answer
        with pytest.raises(PluginError, match="groups"):
            await adapter.authenticate(None, {})
    adapter.authenticator.answer = {"name": "ada", "groups": None}
    assert (await adapter.authenticate(None, {})).groups is None


async def test_groups_without_manage_groups_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    adapter = make()
    adapter.authenticator.answer = {"name": "ada", "groups": ["g"], "roles": [{"name": "r"}]}
    model = await adapter.authenticate(None, {})
    assert (model.groups, model.roles) == (None, None)
    assert "manage_groups" in caplog.text


async def test_refusals_keep_their_status_and_other_errors_name_the_plugin() -> None:
    adapter = make()
    adapter.authenticator.answer = SpawnException("closed", reason="x", status_code=403)
    with pytest.raises(Refusal) as caught:
        await adapter.authenticate(None, {})
    assert (caught.value.status, caught.value.shown, caught.value.plugin) == (
        403,
        "closed",
        "Fixed",
    )
    adapter.authenticator.answer = RuntimeError("ldap is down")
    with pytest.raises(PluginError, match=r"Fixed\.get_authenticated_user.*ldap is down"):
        await adapter.authenticate(None, {})


@pytest.mark.parametrize(
    ("fresh", "answer"),
    [
        (True, True),
        (False, False),
        (None, False),
        ({"name": "other"}, AuthModel("ada", has_auth_state=False)),
        ({"name": "ada", "auth_state": None}, AuthModel("ada", has_auth_state=True)),
    ],
)
async def test_a_refresh_says_yes_no_or_new_facts_of_the_same_person(
    fresh: Any, answer: Any
) -> None:
    adapter = make()
    adapter.authenticator.fresh = fresh
    assert await adapter.refresh(make_user(), "request") == answer
    assert Fixed.seen == [("ada", "h:request")]


async def test_a_refresh_of_the_old_kind_takes_no_handler() -> None:
    class Old(Fixed):
        async def refresh_user(self, user: Any) -> Any:  # type: ignore[override]
            return user.name == "ada"

    assert await make(Old).refresh(make_user(), None) is True


async def test_auth_state_is_reconciled_by_the_operators_hook() -> None:
    async def hook(authenticator: Any, model: Any, existing: Any) -> Any:
        return {**(existing or {}), **model["auth_state"], "name": model["name"]}

    model = AuthModel("ada", auth_state={"new": 1})
    assert await make().reconcile_auth_state(model, {"old": 1}) == {"new": 1}
    adapter = make(reconcile_auth_state_hook=hook)
    assert await adapter.reconcile_auth_state(model, {"old": 1}) == {
        "old": 1,
        "new": 1,
        "name": "ada",
    }


def test_configured_names_are_normalised_and_checked() -> None:
    rules = make(allowed_users={"Ada"}, admin_users={"CHIEF"}, blocked_users={"Eve"}).rules
    assert rules.allowed_users == {"ada"}
    assert rules.admin_users == {"chief"}
    assert rules.blocked_users == {"eve"}
    with pytest.raises(ConfigError, match="'a/b', which is no valid user name"):
        make(allowed_users={"a/b"})
    with pytest.raises(ConfigError, match="allow_everyone"):
        make(allow_everyone=True)


def test_rules_are_those_of_now() -> None:
    adapter = make(auth_refresh_age=7, auto_login=True)
    assert (adapter.refresh_age_s, adapter.rules.auto_login) == (7, True)
    adapter.authenticator.enable_auth_state = True
    assert adapter.rules.enable_auth_state


async def test_people_and_pages_are_asked_of_the_plugin() -> None:
    class Own(Fixed):
        def add_user(self, user: Any) -> None:
            if user.name == "bad":
                raise ValueError("no such account")

        async def load_managed_roles(self) -> list[dict[str, Any]]:
            return [{"name": "managed"}]

        def login_url(self, base_url: str) -> str:
            return base_url + "own"

    adapter = make(Own)
    await adapter.add_user(make_user("ada"))
    await adapter.delete_user(make_user("ada"))
    with pytest.raises(PluginError, match=r"Own\.add_user.*no such account"):
        await adapter.add_user(make_user("bad", 2))
    assert await adapter.managed_roles() == []
    assert await make(Own, manage_roles=True).managed_roles() == [{"name": "managed"}]
    assert adapter.login_url("/hub/") == "/hub/own"
    assert adapter.logout_url("/hub/") == "/hub/logout"
    assert adapter.custom_html("/hub/") == ""
    assert adapter.normalize("ADA") == "ada"
    assert adapter.is_valid("ada")
    assert not adapter.is_valid("a/b")


async def test_people_known_to_the_hub_pass_an_allow_list() -> None:
    async def exists(name: str) -> bool:
        return name == "known"

    config = Config({"Authenticator": {"allowed_users": {"listed"}}})
    context = make_context(config=config)
    adapter = AuthenticatorAdapter(Fixed, context)
    context.user_exists = exists  # known only after the authenticator was made
    for name, passes in (("known", True), ("listed", True), ("other", False)):
        adapter.authenticator.answer = name  # type: ignore[attr-defined]
        assert (await adapter.authenticate(None, {}) is not None) is passes


# -- proxy -------------------------------------------------------------------
class Table(Proxy):
    """Keeps its routes in memory."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table: dict[str, Any] = {}

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        if target == "bad":
            raise RuntimeError("target refused")
        self.table[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self.table.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, Any]:
        return self.table


def make_proxy(config: dict[str, Any] | None = None, **options: Any) -> Any:
    context = make_context(config=Config({"Proxy": config or {}}))
    return ProxyAdapter(Table, context, {**OPTIONS, **options})


async def test_routes_go_through_the_plugin() -> None:
    proxy = make_proxy()
    route = Route("/a/", "http://127.0.0.1:1", {"user": "ada"})
    await proxy.add_route(route)
    assert await proxy.routes() == {"/a/": route}
    await proxy.delete_route("/a/")
    await proxy.delete_route("/a/")
    assert await proxy.routes() == {}
    await proxy.start()
    await proxy.stop()
    await proxy.close()
    with pytest.raises(PluginError, match=r"Table\.add_route.*target refused"):
        await proxy.add_route(Route("/b/", "bad"))


def test_extra_routes_are_checked_and_completed() -> None:
    assert make_proxy({"extra_routes": {"/x": "http://h"}}).extra_routes == {"/x/": "http://h"}
    with pytest.raises(ConfigError, match="the route 'x/y' must begin with a slash"):
        make_proxy({"extra_routes": {"x/y": "http://h"}})
    for target in ("nowhere", "http:", "ftp://h", "//h"):
        with pytest.raises(ConfigError, match="is no URL such as"):
            make_proxy({"extra_routes": {"/x": target}})
    hosts = make_proxy({"extra_routes": {"host/x": "http://h", "/": "http://r"}}, host_routing=True)
    assert hosts.extra_routes == {"host/x/": "http://h", "/": "http://r"}
    with pytest.raises(ConfigError, match="must begin with a host"):
        make_proxy({"extra_routes": {"/x": "http://h"}}, host_routing=True)
    assert hosts.validate_routespec("host/x") == "host/x/"
    assert hosts.validate_routespec("/") == "/"
    with pytest.raises(ConfigError, match="must begin with a host"):
        hosts.validate_routespec("/x/")


def test_a_proxy_without_an_api_cannot_be_reconfigured() -> None:
    with pytest.raises(PluginError, match="no api_url"):
        make_proxy().reconfigure(api_url="http://h", auth_token=None)
    make_proxy().reconfigure(api_url=None, auth_token=None)


async def test_lost_routes_are_restored_by_the_hub() -> None:
    restored: list[str] = []

    async def restore() -> None:
        restored.append("yes")

    proxy = make_proxy()
    proxy.on_restart(restore)
    await proxy.proxy.restore_routes()
    assert restored == ["yes"]


async def test_a_plugin_may_compare_routes_itself() -> None:
    proxy = make_proxy({"extra_routes": {"/x/": "http://extra:1"}}).proxy
    proxy.table["/stale/"] = {"routespec": "/stale/", "target": "http://old:1", "data": {}}
    await proxy.check_routes({}, {})
    assert {spec: entry["target"] for spec, entry in proxy.table.items()} == {
        "/base/": "http://127.0.0.1:18400",
        "/x/": "http://extra:1",
    }
    assert await proxy.get_route("/x") == proxy.table["/x/"]
    assert await proxy.get_route("/y") is None
