"""Spawners behind their port: order of calls, results, blame."""

import asyncio
import json
from typing import Any

import pytest
from plugins_factories import ADDRESS, make_context, make_server, make_user
from tornado.web import HTTPError
from traitlets import Instance
from traitlets.config import Config

from perijove.domain.errors import NotFound, PluginError, Refusal
from perijove.domain.ports import HubAddress, Launch
from perijove.domain.servers import State
from perijove.plugins.adapters import SpawnerPool
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.context import HubContext
from perijove.plugins.spawner import Spawner, SpawnException


class Traced(Spawner):
    """Notes what is called; ``answers`` and ``errors`` come from the test."""

    calls: list[str] = []
    answers: dict[str, Any] = {}

    def _note(self, call: str) -> Any:
        self.calls.append(call)
        answer = self.answers.get(call)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def start(self) -> Any:
        return self._note("start")

    async def stop(self, now: bool = False) -> None:
        self._note("stop now" if now else "stop")

    async def poll(self) -> Any:
        return self._note("poll")

    def clear_state(self) -> None:
        self._note("clear_state")
        super().clear_state()

    def load_state(self, state: dict[str, Any]) -> None:
        self._note(f"load_state {state}")

    def get_state(self) -> Any:
        return self._note("get_state")

    async def rename(self, old_name: str, new_name: str) -> None:
        self._note(f"rename {old_name} {new_name}")


class Guard(Authenticator):
    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        spawner._note("pre_spawn_start")

    async def post_spawn_stop(self, user: Any, spawner: Any) -> None:
        spawner._note("post_spawn_stop")


class Holder:
    authenticator = Guard()


@pytest.fixture
def traced() -> Any:
    Traced.calls, Traced.answers = [], {}
    return Traced


def open_port(
    traced: Any, context: HubContext | None = None, fresh: bool = False, **server: Any
) -> tuple[Any, SpawnerPool]:
    pool = SpawnerPool(traced, context or make_context(), Holder())
    port: Any = pool.open(make_server(**server), make_user(), ("g",), fresh=fresh)
    return port, pool


def launch(**kwargs: Any) -> Launch:
    values: dict[str, Any] = {
        "server": make_server(),
        "user": make_user(),
        "groups": ("g", "late"),
        "api_token": "token",
        "options": {"size": "big"},
    }
    return Launch(**(values | kwargs))


async def test_hooks_run_in_the_order_that_plugins_rely_on(traced: Any) -> None:
    def hook(name: str) -> Any:
        return lambda spawner, *args: spawner._note(name)

    config = Config(
        {
            "Traced": {
                "auth_state_hook": hook("auth_state_hook"),
                "group_overrides": lambda spawner: spawner._note("group_overrides") or {},
                "apply_user_options": hook("apply_user_options"),
                "pre_spawn_hook": hook("pre_spawn_hook"),
                "post_stop_hook": hook("post_stop_hook"),
            }
        }
    )
    traced.answers = {"start": ("127.0.0.1", 18401), "get_state": {"id": 1}}
    port, _ = open_port(traced, make_context(config=config))
    await port.prepare(launch())
    assert await port.start() == "http://127.0.0.1:18401"
    assert port.state() == {"id": 1}
    assert traced.calls == [
        "load_state {}",
        "clear_state",
        "pre_spawn_start",
        "auth_state_hook",
        "group_overrides",
        "apply_user_options",
        "pre_spawn_hook",
        "start",
        "get_state",
    ]
    traced.calls.clear()
    assert await port.poll() is None
    await port.stop()
    await port.cleanup()
    assert traced.calls == ["poll", "stop", "post_stop_hook", "clear_state", "post_spawn_stop"]


async def test_a_start_sees_token_options_groups_and_request(traced: Any) -> None:
    context = make_context(handler_for=lambda request: f"handler of {request}")
    port, _ = open_port(traced, context)
    await port.prepare(launch(request="request"))
    spawner = port.spawner
    assert spawner.api_token == port.api_token == "token"
    assert spawner.user_options == {"size": "big"}
    assert [group.name for group in spawner.user.groups] == ["g", "late"]
    assert spawner.handler == "handler of request"
    await port.prepare(launch(options=None))
    assert spawner.user_options == {"size": "big"}, "no options means those of the last start"
    await port.prepare(launch(options={}))
    assert spawner.user_options == {}


async def test_a_handler_is_made_for_a_plug_in_that_looks_and_gone_after_the_start(
    traced: Any,
) -> None:
    made: list[object] = []

    def handler_for(request: object) -> object:
        made.append(request)
        return request and f"handler of {request}"

    traced.answers = {"start": ("127.0.0.1", 18401)}
    port, _ = open_port(traced, make_context(handler_for=handler_for))
    await port.prepare(launch(request="request"))
    assert made == []
    assert port.spawner.handler is port.spawner.handler == "handler of request"
    assert made == ["request"]
    await port.start()
    assert port.spawner.handler is None


async def test_a_plug_in_with_a_handler_of_its_own_kind_gets_it_at_once(traced: Any) -> None:
    class Strict(traced):  # type: ignore[misc]
        handler = Instance(dict, allow_none=True)

    port, _ = open_port(Strict, make_context(handler_for=lambda request: {"of": request}))
    await port.prepare(launch(request="request"))
    assert port.spawner.handler == {"of": "request"}


async def test_the_plugin_is_made_with_the_arguments_it_expects(traced: Any) -> None:
    address = HubAddress(
        **{
            **{
                name: getattr(ADDRESS, name)
                for name in ("base_url", "hub_prefix", "api_url", "url")
            },
            "public_url": "https://pub.example/base/",
            "public_hub_url": "https://pub.example/base/hub/",
            "cookie_options": {"samesite": "Lax"},
        }
    )
    context = make_context(
        address=address,
        cookie_host_prefix_enabled=True,
        trusted_alt_names=["DNS:x"],
        internal_ssl=True,
        internal_certs_location="certs",
        internal_trust_bundles={"notebooks-ca": "ca"},
        settings={"admin_access": True},
    )
    server = {"name": "lab", "options": {"a": 1}, "oauth_client_id": None}
    port, _ = open_port(traced, context, fresh=True, **server)
    spawner = port.spawner
    assert spawner.proxy_spec == "/base/user/ada/lab/"
    assert spawner.oauth_client_id == "jupyterhub-user-ada-lab"
    assert spawner.public_url == "https://pub.example/base/user/ada/lab/"
    assert spawner.public_hub_url == "https://pub.example/base/hub/"
    assert spawner.cookie_options == {"samesite": "Lax"}
    assert spawner.cookie_host_prefix_enabled
    assert spawner.admin_access
    assert spawner.trusted_alt_names == spawner.ssl_alt_names == ["DNS:x"]
    assert spawner.internal_ssl
    assert spawner.internal_trust_bundles == {"notebooks-ca": "ca"}
    assert spawner.user_options == {"a": 1}
    assert spawner.server.base_url == "/base/user/ada/lab/"
    assert spawner.server.cookie_name == "jupyterhub-user-ada-lab"
    assert spawner.user.spawners == {"lab": spawner}
    assert spawner.user.settings is context.settings
    spawner._deprecated_db_session.commit()
    with pytest.raises(RuntimeError, match="no database"):
        spawner._deprecated_db_session.query("User")


@pytest.mark.parametrize(
    ("answer", "url"),
    [
        (("10.0.0.1", 80), "http://10.0.0.1:80"),
        (("", "81"), "http://127.0.0.1:81"),
        (("0.0.0.0", 82), "http://127.0.0.1:82"),
        (("::1", 83), "http://[::1]:83"),
        (("::", 84), "http://[::1]:84"),
        (("name", 85), "http://name:85"),
        ("https://host:86/user/ada/", "https://host:86"),
        ("http+unix://%2Ftmp%2Fx/user/ada/", "http+unix://%2Ftmp%2Fx"),
    ],
)
async def test_addresses_come_as_pair_or_url(traced: Any, answer: Any, url: str) -> None:
    traced.answers = {"start": answer}
    port, _ = open_port(traced)
    await port.prepare(launch())
    assert await port.start() == url


async def test_an_old_spawner_puts_its_address_into_its_server(traced: Any) -> None:
    class Old(Traced):
        async def start(self) -> Any:
            assert self.server is not None
            self.server.ip, self.server.port = "10.0.0.9", 99

    port, _ = open_port(Old)
    await port.prepare(launch())
    assert await port.start() == "http://10.0.0.9:99"


@pytest.mark.parametrize("answer", ["nope", ("only-ip",), 5])
async def test_an_answer_that_is_no_address_is_blamed_on_the_plugin(
    traced: Any, answer: Any
) -> None:
    traced.answers = {"start": answer}
    port, _ = open_port(traced)
    with pytest.raises(PluginError, match=r"Traced\.start failed"):
        await port.start()


# -- blame -------------------------------------------------------------------
async def test_a_policy_refusal_keeps_its_status_reason_and_words(traced: Any) -> None:
    traced.answers = {
        "start": SpawnException(
            "over quota", reason="quota", log_message="ada has 5", message_html="<b>over</b>"
        )
    }
    port, _ = open_port(traced)
    await port.prepare(launch())
    with pytest.raises(Refusal) as caught:
        await port.start()
    error = caught.value
    assert (error.plugin, error.call, error.status, error.reason) == (
        "Traced",
        "start",
        400,
        "quota",
    )
    assert (error.shown, error.shown_html, error.log_message) == (
        "over quota",
        "<b>over</b>",
        "ada has 5",
    )
    assert port.spawner._spawn_future.exception() is traced.answers["start"]


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (HTTPError(403, "not %s", "you"), 403, "not you"),
        (HTTPError(409, "100% sure"), 409, "100% sure"),
        (HTTPError(418, reason="teapot"), 418, "teapot"),
        (HTTPError(404), 404, "Not Found"),
    ],
)
async def test_a_web_error_keeps_its_status_and_message(
    traced: Any, error: Exception, status: int, shown: str
) -> None:
    traced.answers = {"start": error}
    port, _ = open_port(traced)
    with pytest.raises(Refusal) as caught:
        await port.start()
    assert (caught.value.status, caught.value.shown, caught.value.reason) == (
        status,
        shown,
        "error",
    )


async def test_any_error_may_bring_words_and_headers_for_people(traced: Any) -> None:
    error = RuntimeError("disk 3 failed")
    error.jupyterhub_message = "Please wait"  # type: ignore[attr-defined]
    error.jupyterhub_html_message = "<i>Please wait</i>"  # type: ignore[attr-defined]
    error.headers = {"Retry-After": 5}  # type: ignore[attr-defined]
    traced.answers = {"start": error}
    port, _ = open_port(traced)
    with pytest.raises(Refusal) as caught:
        await port.start()
    found = caught.value
    assert (found.status, found.shown, found.shown_html) == (
        500,
        "Please wait",
        "<i>Please wait</i>",
    )
    assert found.headers == {"Retry-After": "5"}
    assert "disk 3 failed" in str(found)


async def test_an_unexpected_error_names_class_and_call_and_keeps_its_cause(traced: Any) -> None:
    traced.answers = {"poll": KeyError("x")}
    port, _ = open_port(traced)
    with pytest.raises(PluginError, match=r"Traced\.poll failed: KeyError: 'x'") as caught:
        await port.poll()
    assert caught.value.__cause__ is traced.answers["poll"]
    assert not isinstance(caught.value, Refusal)


async def test_errors_of_the_hub_and_cancellation_pass_through(traced: Any) -> None:
    port, _ = open_port(traced)
    traced.answers = {"start": NotFound("gone")}
    with pytest.raises(NotFound):
        await port.start()

    class Slow(Traced):
        async def start(self) -> Any:
            await asyncio.Event().wait()

    slow, _ = open_port(Slow)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await slow.start()


@pytest.mark.parametrize("hook", ["auth_state_hook", "pre_spawn_hook"])
async def test_a_failing_hook_ends_the_start(traced: Any, hook: str) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("no credentials")

    port, _ = open_port(traced, make_context(config=Config({"Spawner": {hook: fail}})))
    with pytest.raises(PluginError, match=rf"Traced\.run_{hook} failed.*no credentials"):
        await port.prepare(launch())
    assert isinstance(port.spawner._spawn_future.exception(), RuntimeError)


async def test_errors_after_a_stop_are_logged_and_do_not_stop_the_rest(
    traced: Any, caplog: pytest.LogCaptureFixture
) -> None:
    traced.answers = {"clear_state": RuntimeError("one"), "post_spawn_stop": RuntimeError("two")}
    config = Config({"Traced": {"post_stop_hook": lambda spawner: 1 / 0}})
    port, _ = open_port(traced, make_context(config=config))
    await port.cleanup()
    assert [call for call in traced.calls if "load" not in call] == [
        "clear_state",
        "post_spawn_stop",
    ]
    assert port.spawner.server is None


@pytest.mark.parametrize("value", [object(), {1, 2}])
def test_state_that_json_cannot_hold_stops_no_server(traced: Any, value: Any) -> None:
    port, _ = open_port(traced)
    traced.answers = {"get_state": {"a": value, "pid": 5, 7: (1, 2)}}
    assert port.state() == {"a": None, "pid": 5, "7": [1, 2]}


def test_state_that_holds_itself_is_blamed_on_the_plugin(traced: Any) -> None:
    port, _ = open_port(traced)
    state: dict[str, Any] = {}
    state["again"] = state
    traced.answers = {"get_state": state}
    with pytest.raises(PluginError, match="get_state"):
        port.state()


class EngineError(Exception):
    """What clients of container engines raise: the status is that of their own request."""

    status_code = 404


async def test_an_engines_error_with_a_status_is_no_answer_to_the_person(traced: Any) -> None:
    port, _ = open_port(traced)
    traced.answers = {"start": EngineError("no such image: science:1")}
    with pytest.raises(PluginError, match="no such image: science:1") as caught:
        await port.start()
    assert not isinstance(caught.value, Refusal)


@pytest.mark.parametrize("status", ["ExitCode=1, Error=''", "", [], 1.5])
async def test_whatever_a_poll_gives_but_none_means_that_the_server_has_ended(
    traced: Any, status: Any
) -> None:
    port, _ = open_port(traced)
    traced.answers = {"poll": status}
    assert await port.poll() == 0
    traced.answers = {"poll": None}
    assert await port.poll() is None


# -- options -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (HTTPError(422, "bad size"), 422, "bad size"),
        (ValueError("bad size"), 400, "bad size"),
        (KeyError("size"), 400, "'size'"),
        (SpawnException("over", reason="quota", status_code=429), 429, "over"),
    ],
)
async def test_bad_options_are_refused_with_the_plugins_words(
    traced: Any, error: Exception, status: int, shown: str
) -> None:
    def reader(form: Any) -> Any:
        raise error

    config = Config({"Spawner": {"options_from_form": reader}})
    port, _ = open_port(traced, make_context(config=config))
    for read in (port.options_from_form, port.options_from_query):
        with pytest.raises(Refusal) as caught:
            await read({"size": ["bad"]})
        assert (caught.value.status, caught.value.shown) == (status, shown)


async def test_options_may_be_read_later_and_must_be_a_dict(traced: Any) -> None:
    async def reader(form: Any) -> Any:
        return {"size": form["size"][0]} if form["size"] != ["none"] else ["none"]

    config = Config({"Spawner": {"options_from_form": reader}})
    port, _ = open_port(traced, make_context(config=config))
    assert await port.options_from_form({"size": ("big",)}) == {"size": "big"}
    with pytest.raises(PluginError, match="no dict"):
        await port.options_from_form({"size": ["none"]})


async def test_a_form_that_gives_nothing_leaves_no_options(traced: Any) -> None:
    config = Config({"Spawner": {"options_from_form": lambda form: None}})
    port, _ = open_port(traced, make_context(config=config))
    assert await port.options_from_form({"size": ["big"]}) == {}


async def test_an_uploaded_file_reaches_the_start_as_bytes(traced: Any) -> None:
    config = Config({"Spawner": {"options_from_form": lambda form: form}})
    port, _ = open_port(traced, make_context(config=config))
    sent = [{"filename": "a.bin", "body": b"\xff\x00", "content_type": "text/plain"}]
    options = json.loads(json.dumps(await port.options_from_form({"f_file": sent})))
    await port.prepare(launch(options=options))
    assert port.spawner.user_options == {"f_file": sent}


async def test_options_that_cannot_be_applied_are_invalid(traced: Any) -> None:
    config = Config({"Spawner": {"apply_user_options": {"size": "mem_limit"}}})
    port, _ = open_port(traced, make_context(config=config))
    with pytest.raises(Refusal) as caught:
        await port.prepare(launch())
    assert caught.value.status == 400
    assert caught.value.shown.startswith("Invalid user options: 'big' is not a valid size")


async def test_the_options_form_is_made_after_the_auth_state_hook(traced: Any) -> None:
    seen: list[Any] = []

    async def auth_state(user_id: int) -> dict[str, Any]:
        return {"token": user_id}

    config = Config(
        {
            "Spawner": {
                "auth_state_hook": lambda spawner, state: seen.append(state),
                "options_form": lambda spawner: f"<form for {spawner.user.name} {spawner.handler}>",
            }
        }
    )
    context = make_context(
        config=config, get_auth_state=auth_state, handler_for=lambda request: request
    )
    port, _ = open_port(traced, context)
    assert await port.options_form("request") == "<form for ada request>"
    assert seen == [{"token": 1}]
    plain, _ = open_port(traced)
    assert await plain.options_form() == ""


# -- progress ----------------------------------------------------------------
async def test_progress_events_come_without_ready_and_nonsense(traced: Any) -> None:
    class Telling(Traced):
        async def progress(self) -> Any:
            yield {"progress": 10, "message": "one", "ready": True}
            yield "nonsense"
            yield {"progress": 20, "html_message": "<b>two</b>"}

    port, _ = open_port(Telling)
    assert [event async for event in port.progress()] == [
        {"progress": 10, "message": "one"},
        {"progress": 20, "html_message": "<b>two</b>"},
    ]


async def test_progress_events_can_always_be_stored(traced: Any) -> None:
    class Telling(Traced):
        async def progress(self) -> Any:
            yield {"progress": 5, "message": ValueError("odd"), "more": {1, 2}, "file": "\udcff"}

    port, _ = open_port(Telling)
    (event,) = [event async for event in port.progress()]
    assert event == {"progress": 5, "message": "odd", "more": None, "file": "\udcff"}


async def test_failing_progress_is_blamed_on_the_plugin(traced: Any) -> None:
    class Failing(Traced):
        async def progress(self) -> Any:
            yield {"progress": 1}
            raise RuntimeError("lost")

    port, _ = open_port(Failing)
    with pytest.raises(PluginError, match=r"Failing\.progress"):
        _ = [event async for event in port.progress()]


async def test_the_last_event_is_the_operators_and_their_errors_are_not_fatal(traced: Any) -> None:
    async def hook(spawner: Any, event: dict[str, Any]) -> dict[str, Any]:
        if event.get("fail"):
            raise RuntimeError("hook")
        return {**event, "url": "/elsewhere"}

    config = Config({"Spawner": {"progress_ready_hook": hook}})
    port, _ = open_port(traced, make_context(config=config))
    assert await port.ready_event({"ready": True}) == {"ready": True, "url": "/elsewhere"}
    assert await port.ready_event({"fail": 1}) == {"fail": 1}


# -- the pool -----------------------------------------------------------------
def test_one_object_per_server_until_it_is_forgotten(traced: Any) -> None:
    pool = SpawnerPool(traced, make_context(), Holder())
    server, user = make_server(plugin_state={"id": 5}), make_user()
    started: Any = pool.open(server, user, (), fresh=True)
    assert pool.open(server, user, ()) is pool.find(server.id) is started
    assert traced.calls == ["load_state {'id': 5}"]
    assert started.spawner.user.spawners == {"": started.spawner}
    pool.forget(server.id)
    assert pool.find(server.id) is None
    assert started.spawner.user.spawners == {}
    pool.forget(server.id)
    assert pool.open(server, user, (), fresh=True) is not started


def test_what_was_set_before_a_start_counts_for_it(traced: Any) -> None:
    pool = SpawnerPool(traced, make_context(), Holder())
    server, user = make_server(state=State.STOPPED, plugin_state={"id": 5}), make_user()
    form: Any = pool.open(server, user, ())
    assert pool.find(server.id) is None, "nothing runs yet"
    form.spawner.notebook_dir = "/set/by/a/form"
    assert pool.open(server, user, ()) is form
    assert pool.open(server, user, (), fresh=True) is form
    assert pool.find(server.id) is form


def test_a_server_that_runs_elsewhere_is_looked_at_anew(traced: Any) -> None:
    pool = SpawnerPool(traced, make_context(), Holder())
    server, user = make_server(state=State.READY), make_user()
    assert pool.open(server, user, ()) is not pool.open(server, user, ())


def test_the_class_may_be_exchanged_in_the_settings(traced: Any) -> None:
    context = make_context()
    pool = SpawnerPool(traced, context, None)

    class Other(Traced):
        pass

    context.settings["spawner_class"] = Other
    port: Any = pool.open(make_server(), make_user(), ())
    assert pool.class_name == port.class_name == "Other"


def test_a_plugin_that_cannot_be_made_is_blamed(traced: Any) -> None:
    class Broken(Traced):
        def __init__(self, **kwargs: Any) -> None:
            raise RuntimeError("no cluster")

    with pytest.raises(PluginError, match=r"Broken\.__init__ failed.*no cluster"):
        SpawnerPool(Broken, make_context(), None).open(make_server(), make_user(), ())


async def test_a_server_that_moved_while_ready_is_told_once(traced: Any) -> None:
    moved: list[tuple[int, str]] = []
    context = make_context(server_moved=lambda server_id, url: moved.append((server_id, url)))
    port, _ = open_port(traced, context)
    port.set_address("http://10.0.0.1:80")
    port.spawner.server.ip = "10.0.0.2"
    await asyncio.sleep(0)
    assert moved == [], "it was not ready yet"
    port.set_progressing(None, True)
    port.spawner.server.ip = "10.0.0.3"
    port.spawner.server.port = 81
    await asyncio.sleep(0)
    assert moved == [(7, "http://10.0.0.3:81")]
    port.set_address("http://10.0.0.4:82")
    await asyncio.sleep(0)
    assert len(moved) == 1


async def test_a_running_server_is_known_by_its_address_after_a_restart(traced: Any) -> None:
    port, _ = open_port(traced, url="http://10.0.0.1:80", state=State.READY)
    assert await port.address() == "http://10.0.0.1:80"
    assert port.spawner.ready
    port.set_address(None)
    assert await port.address() == ""


async def test_pending_and_ready_are_what_the_hub_says(traced: Any) -> None:
    port, _ = open_port(traced)
    await port.prepare(launch())
    port.set_progressing("spawn", False)
    assert (port.spawner.pending, port.spawner.ready, port.spawner.active) == ("spawn", False, True)
    port.set_progressing(None, True)
    assert (port.spawner.pending, port.spawner.ready) == (None, True)
    assert port.spawner._spawn_future.done()
    port.set_progressing("stop", False)
    assert (port.spawner.pending, port.spawner.ready) == ("stop", False)
    port.set_progressing(None, False)
    assert not port.spawner.active


async def test_scopes_are_asked_for_and_roles_of_old_are_turned_into_scopes(traced: Any) -> None:
    async def role_scopes(names: Any) -> list[str]:
        return [f"scope-of-{name}" for name in names]

    config = Config(
        {
            "Spawner": {
                "server_token_scopes": lambda spawner: ["users:activity!user"],
                "oauth_client_allowed_scopes": ["self"],
                "oauth_roles": ["old"],
            }
        }
    )
    port, _ = open_port(traced, make_context(config=config, role_scopes=role_scopes))
    assert await port.token_scopes() == ["users:activity!user"]
    assert await port.oauth_scopes() == ["self", "scope-of-old"]
    env = port.spawner.get_env()
    assert env["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"] == '["self", "scope-of-old"]'


async def test_renames_can_be_refused_and_settings_are_read(traced: Any) -> None:
    port, _ = open_port(traced)
    await port.rename("a", "b")
    assert traced.calls[-1] == "rename a b"
    await port.delete_forever()
    await port.stop(now=True)
    assert traced.calls[-1] == "stop now"
    assert (port.start_timeout_s, port.http_timeout_s, port.poll_interval_s) == (60, 30, 30)
    assert (port.poll_jitter, port.failure_limit, port.will_resume) == (0.1, 0, False)
    assert port.local_host is None
    assert not await port.find_lost()
    port.spawner.stop_polling()
    assert port.poll_interval_s == 0


async def test_poll_callbacks_hear_only_of_servers_that_died_by_themselves(traced: Any) -> None:
    ended: list[int] = []
    told: list[str] = []
    context = make_context(server_ended=ended.append)
    port, _ = open_port(traced, context)
    port.spawner.add_poll_callback(told.append, "stopped")
    await port.poll()
    await port.stop()
    traced.answers = {"poll": 0}
    await port.poll()
    await port.cleanup()
    assert (told, ended) == ([], [])
    port, _ = open_port(traced, context)
    port.spawner.add_poll_callback(told.append, "died")
    assert await port.poll() == 0
    await port.cleanup()
    assert (told, ended) == (["died"], [])
    port, _ = open_port(traced, context)
    assert await port.spawner.poll_and_notify() == 0
    assert ended == [7]
