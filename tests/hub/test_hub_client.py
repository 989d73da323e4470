"""Both faces of the client do everything that the API offers, on a real hub."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from harness import ROOT_TOKEN, HubProcess, MakeHub, wait_for

from perijove.wire import requests
from perijove.wire.calls.call import Operation
from perijove.wire.client import (
    Conflict,
    Forbidden,
    HubClient,
    Invalid,
    NotAuthenticated,
    NotFound,
    SyncHubClient,
)

pytestmark = pytest.mark.slow

SETTINGS = """
c.JupyterHub.allow_named_servers = True
c.JupyterHub.admin_access = True
c.JupyterHub.services += [{
    "name": "web", "api_token": "token-of-the-service-web", "oauth_no_confirm": True,
    "oauth_client_id": "service-web", "oauth_redirect_uri": "http://127.0.0.1/callback",
}]
"""

OPERATIONS = {
    name for name, found in inspect.getmembers_static(HubClient) if isinstance(found, Operation)
}


class Doing:
    """Calls methods of either face by name, and remembers which ones."""

    def __init__(self, client: HubClient | SyncHubClient) -> None:
        self.client = client
        self.done: set[str] = set()

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.done.add(method)
        if isinstance(self.client, SyncHubClient):
            return await asyncio.to_thread(self._blocking, method, args, kwargs)
        found = getattr(self.client, method)(*args, **kwargs)
        if isinstance(found, AsyncIterator):
            return [item async for item in found]
        return await found

    def _blocking(self, method: str, args: Any, kwargs: Any) -> Any:
        found = getattr(self.client, method)(*args, **kwargs)
        return list(found) if isinstance(found, Iterator) else found

    async def first(self, method: str, *args: Any) -> Any:
        """The first event of a stream that has no end."""
        self.done.add(method)
        stream = getattr(self.client, method)(*args)
        if isinstance(stream, Iterator):
            return await asyncio.to_thread(next, stream)
        return await anext(stream)

    async def names(self, method: str, *args: Any, **kwargs: Any) -> list[str]:
        """The names of what a list holds."""
        return [item.name for item in await self(method, *args, **kwargs)]


@pytest.fixture(params=["awaiting", "blocking"])
def face(request: pytest.FixtureRequest) -> type[HubClient] | type[SyncHubClient]:
    """One face, then the other."""
    return HubClient if request.param == "awaiting" else SyncHubClient


def test_every_operation_works_on_a_real_hub(
    face: type[HubClient] | type[SyncHubClient], make_hub: MakeHub, gated_settings: str
) -> None:
    hub = make_hub(SETTINGS + gated_settings)
    # In a thread of its own: Playwright keeps a loop running in this one, once it was used.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, drive(face, hub)).result()


async def drive(face: type[HubClient] | type[SyncHubClient], hub: HubProcess) -> None:
    """Call every operation of the hub, the last of which ends it."""
    client = face(hub.origin, ROOT_TOKEN)
    do = Doing(client)
    try:
        await look_at_the_hub(do)
        await keep_users(do)
        await keep_groups(do)
        await keep_tokens(do, hub)
        await run_servers(do)
        await share_servers(do)
        await keep_services(do)
        await mind_the_proxy(do, hub)
        await identify(do, hub)
        assert (await do("shut_down", requests.ShutdownRequest(servers=True, proxy=True))).message
    finally:
        await client.close() if isinstance(client, HubClient) else client.close()
    assert hub.process is not None
    wait_for("the end of the hub", lambda: hub.process and hub.process.poll() is not None, 30)
    assert do.done == OPERATIONS, "an operation was left out here"


async def look_at_the_hub(do: Doing) -> None:
    await do("health")
    assert (await do("version")).version == (await do("info")).version
    assert "# TYPE" in await do("metrics")
    me = await do("who_am_i")
    assert (me.kind, me.name, me.admin) == ("service", "root", True)


async def keep_users(do: Doing) -> None:
    made = await do("create_users", [f"u{number}" for number in range(7)])
    assert len(made) == 7
    assert (await do("create_user", "ada")).name == "ada"
    with pytest.raises(Conflict, match="ada"):
        await do("create_user", "ada")
    assert (await do("edit_user", "ada", requests.UserChange(admin=True))).admin
    await do(
        "report_activity", "ada", requests.ActivityRequest(last_activity="2020-01-01T00:00:00Z")
    )
    await do("grant_admin_access", "ada")
    assert (await do("user", "ada")).admin
    # Three pages, and the order of the whole.
    ordered = await do.names("users", name_filter="u", sort="-name", page_size=3)
    assert ordered == [f"u{number}" for number in range(6, -1, -1)]
    assert await do.names("users", state="active") == []
    assert await do("delete_user", "u6")
    with pytest.raises(NotFound):
        await do("user", "u6")


async def keep_groups(do: Doing) -> None:
    made = await do("create_groups", ["physics", "history"], users=["ada"])
    assert [group.users for group in made] == [["ada"], ["ada"]]
    assert (await do("create_group", "arts")).users == []
    assert (await do("add_members", "arts", ["u1", "u2"])).users == ["u1", "u2"]
    assert (await do("remove_members", "arts", ["u1"])).users == ["u2"]
    properties = {"quota": {"cpu": 2}}
    assert (await do("set_group_properties", "arts", properties)).properties == properties
    assert (await do("group", "arts")).properties == properties
    assert sorted(await do.names("groups", page_size=2)) == ["arts", "history", "physics"]
    await do("delete_group", "history")


async def keep_tokens(do: Doing, hub: HubProcess) -> None:
    wish = requests.TokenRequest(note="for a test", expires_in=3600, scopes=["read:users!user"])
    made = await do("create_token", "u1", wish)
    assert made.expires_at - datetime.now(UTC) < timedelta(hours=1, minutes=1)
    assert (await do("token", "u1", made.id)).note == "for a test"
    assert [token.id for token in await do("tokens", "u1")] == [made.id]
    assert (await do("token_owner", made.token)).name == "u1"
    async with HubClient(hub.origin, made.token) as weak:
        assert (await weak.user("u1")).name == "u1"
        with pytest.raises(Forbidden, match="lacks the scope") as caught:
            await weak.create_user("eve")
        assert caught.value.needs == ("admin:users",)
        with pytest.raises(NotFound):
            await weak.user("ada")
        await do("revoke_token", "u1", made.id)
    async with HubClient(hub.origin, made.token) as ended:
        with pytest.raises(NotAuthenticated):
            await ended.user("u1")


async def run_servers(do: Doing) -> None:
    named = await do("create_server", "u1", "lab", requests.ServerRequest(display_name="Lab"))
    assert (named.display_name, named.stopped) == ("Lab", True)
    change = requests.ServerChange(display_name="Laboratory")
    assert (await do("edit_server", "u1", "lab", change)).display_name == "Laboratory"
    with pytest.raises(Invalid, match="not starting"):
        await do("follow_start", "u1", "lab")
    wish = requests.ServerRequest(user_options={"size": "small"})
    assert not await do("start_server", "u1", "", wish, wait_s=0)
    events = await do("follow_start", "u1")
    assert events[-1].ready
    assert len(events) > 1
    assert await do("start_server", "u1", wait_s=30), "it runs already"
    assert await do("start_server", "u1", "lab", wait_s=60)
    snapshot = await do.first("follow_servers")
    assert {(about.user, about.name) for about in snapshot.servers} == {("u1", ""), ("u1", "lab")}
    running = await do("server", "u1")
    assert (running.ready, running.user_options) == (True, {"size": "small"})
    assert await do.names("users", state="ready") == ["u1"]
    assert await do("stop_server", "u1", "lab", remove=True, wait_s=30)
    assert await do("stop_server", "u1", wait_s=30)


async def share_servers(do: Doing) -> None:
    bob, arts = requests.ShareRequest(user="u3"), requests.ShareRequest(group="arts")
    assert (await do("grant_share", "u1", "", bob)).user.name == "u3"
    assert (await do("grant_share", "u1", "", arts)).group.name == "arts"
    assert len(await do("shares", "u1")) == len(await do("server_shares", "u1", "")) == 2
    assert len(await do("received_shares", "u3")) == len(await do("group_shares", "arts")) == 1
    assert (await do("received_share", "u3", "u1", "")).server.user.name == "u1"
    assert (await do("group_share", "arts", "u1", "")).kind == "group"
    await do("leave_share", "u3", "u1", "")
    await do("leave_group_share", "arts", "u1", "")
    await do("grant_share", "u1", "", bob)
    assert await do("revoke_share", "u1", "", bob) is None
    await do("revoke_shares", "u1", "")
    assert await do("shares", "u1") == []
    code = await do("create_share_code", "u1", "", requests.ShareCodeRequest(expires_in=600))
    assert code.code
    assert [one.id for one in await do("share_codes", "u1")] == [code.id]
    await do("revoke_share_codes", "u1", "", id=code.id)
    assert await do("server_share_codes", "u1", "") == []


async def keep_services(do: Doing) -> None:
    await do("add_service", "later", requests.ServiceRequest(info={"floor": 3}))
    assert (await do("service", "later")).info == {"floor": 3}
    hidden = requests.ServiceRequest(display=False)
    assert (await do("change_service", "later", hidden)).info == {"floor": 3}
    assert (await do("service_health", "later")).answers is None
    assert set(await do("services")) == {"root", "web", "later"}
    await do("remove_service", "later")
    with pytest.raises(NotFound):
        await do("service", "later")


async def mind_the_proxy(do: Doing, hub: HubProcess) -> None:
    await do("check_routes")
    change = requests.ProxyChange(api_url=f"http://127.0.0.1:{hub.proxy_port}")
    await do("move_proxy", change)
    assert [route.routespec for route in await do("routes")] == ["/"]


async def identify(do: Doing, hub: HubProcess) -> None:
    browser = await asyncio.to_thread(hub.sign_in, "admin")
    cookie = unquote(browser.cookies["jupyterhub-hub-login"]).strip('"')
    assert (await do("cookie_owner", "jupyterhub-hub-login", cookie)).name == "admin"
    query = {"client_id": "service-web", "response_type": "code", "state": "s"}
    query["redirect_uri"] = "http://127.0.0.1/callback"
    reply = browser.get("/hub/api/oauth2/authorize", params=query, follow_redirects=False)
    browser.close()
    (code,) = parse_qs(urlsplit(reply.headers["location"]).query)["code"]
    exchange = requests.OAuthExchange(
        grant_type="authorization_code",
        code=code,
        client_id="service-web",
        client_secret="token-of-the-service-web",
        redirect_uri=query["redirect_uri"],
    )
    asked = requests.OAuthIntrospection(
        token=(await do("exchange_code", exchange)).access_token,
        client_id=exchange.client_id,
        client_secret=exchange.client_secret,
    )
    assert (await do("introspect_token", asked)).username == "admin"
    await do("revoke_oauth_token", requests.OAuthRevocation(**asked.model_dump(exclude_unset=True)))
    assert not (await do("introspect_token", asked)).active
    with pytest.raises(Invalid):
        await do("exchange_code", exchange)
    metadata = await do("oauth_metadata")
    assert metadata.token_endpoint == f"{metadata.issuer}/oauth2/token"
