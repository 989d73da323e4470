"""The base class of spawners: environment, options, overrides, states."""

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from certipy import Certipy
from cryptography import x509
from plugins_factories import ADDRESS, make_context, make_spawner
from traitlets import TraitError
from traitlets.config import Config

from perijove.domain.ports import HubAddress
from perijove.plugins.context import PluginHub, PluginServer
from perijove.plugins.spawner import Spawner, SpawnException


class Still(Spawner):
    async def start(self) -> Any:
        return ("127.0.0.1", 18401)

    async def stop(self, now: bool = False) -> None:
        pass

    async def poll(self) -> int | None:
        return None


def test_a_class_without_start_stop_or_poll_cannot_be_made() -> None:
    with pytest.raises(NotImplementedError, match="Half lacks stop, poll"):
        type("Half", (Spawner,), {"start": Still.start})


def test_a_spawner_can_be_made_without_stored_server() -> None:
    spawner = Still(
        user=None, hub=None, authenticator=None, db=object(), server=None, config=Config()
    )
    assert (spawner.name, spawner.server, spawner.ready, spawner.active) == ("", None, False, False)
    for name in spawner.trait_names():
        getattr(spawner, name)


# -- environment -------------------------------------------------------------------
def test_the_environment_is_the_table_of_the_protocol() -> None:
    spawner = make_spawner(Still, user="üser@x", name="lab", oauth_client_id="jupyterhub-user-x")
    spawner.api_token = "secret-token"
    spawner.port = 18402
    prefix = "/base/user/%C3%BCser@x/lab/"
    spawner.server.base_url = prefix
    access = json.dumps(["access:servers!server=üser@x/lab", "access:servers!user=üser@x"])
    assert spawner.get_env() == {
        "JUPYTERHUB_API_TOKEN": "secret-token",
        "JPY_API_TOKEN": "secret-token",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-x",
        "JUPYTERHUB_USER": "üser@x",
        "JUPYTERHUB_SERVER_NAME": "lab",
        "JUPYTERHUB_HOST": "",
        "JUPYTERHUB_BASE_URL": "/base/",
        "JUPYTERHUB_API_URL": "http://127.0.0.1:18400/base/hub/api",
        "JUPYTERHUB_ACTIVITY_URL": (
            "http://127.0.0.1:18400/base/hub/api/users/%C3%BCser@x/activity"
        ),
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:18402{prefix}",
        "JUPYTERHUB_PUBLIC_URL": "",
        "JUPYTERHUB_PUBLIC_HUB_URL": "",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": access,
        "JUPYTERHUB_OAUTH_SCOPES": access,
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": "[]",
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "0",
    }


def test_optional_variables_appear_when_their_option_is_set() -> None:
    spawner = make_spawner(
        Still,
        notebook_dir="~/work/{username}",
        default_url="{base_url}lab/%U",
        debug=True,
        disable_user_config=True,
        mem_limit="1G",
        mem_guarantee=5,
        cpu_limit=2,
        cpu_guarantee=0.5,
        cookie_options={"samesite": "Lax"},
        cookie_host_prefix_enabled=True,
        admin_access=True,
        internal_ssl=True,
        cert_paths={"keyfile": "k", "certfile": "c", "cafile": "a"},
        ip="[::1]",
        port=18403,
    )
    env = spawner.get_env()
    expected = {
        "JUPYTERHUB_ROOT_DIR": "~/work/ada",
        "JUPYTERHUB_DEFAULT_URL": "/base/user/ada/lab/ada",
        "JUPYTERHUB_DEBUG": "1",
        "JUPYTERHUB_DISABLE_USER_CONFIG": "1",
        "MEM_LIMIT": str(1 << 30),
        "MEM_GUARANTEE": "5",
        "CPU_LIMIT": "2.0",
        "CPU_GUARANTEE": "0.5",
        "JUPYTERHUB_COOKIE_OPTIONS": '{"samesite": "Lax"}',
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1",
        "JUPYTERHUB_ADMIN_ACCESS": "1",
        "JUPYTERHUB_SSL_KEYFILE": "k",
        "JUPYTERHUB_SSL_CERTFILE": "c",
        "JUPYTERHUB_SSL_CLIENT_CA": "a",
        "JUPYTERHUB_SERVICE_URL": "https://[::1]:18403/base/user/ada/",
    }
    assert {key: env.get(key) for key in expected} == expected


def test_the_operators_environment_wins_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "from hub")
    spawner = make_spawner(
        Still,
        env={"KEPT": "old", "OLD": "old"},
        env_keep=["KEPT", "ABSENT"],
        environment={
            "JUPYTERHUB_USER": "overridden",
            "CALLED": lambda spawner: f"for {spawner.user.name}",
        },
    )
    env = spawner.get_env()
    assert env["KEPT"] == "from hub"
    assert env["OLD"] == "old"
    assert "ABSENT" not in env
    assert env["JUPYTERHUB_USER"] == "overridden"
    assert env["CALLED"] == "for ada"


def test_hub_connect_url_replaces_the_host_of_the_api() -> None:
    env = make_spawner(Still, hub_connect_url="https://inner:81").get_env()
    assert env["JUPYTERHUB_API_URL"] == "https://inner:81/base/hub/api"
    assert env["JUPYTERHUB_ACTIVITY_URL"] == "https://inner:81/base/hub/api/users/ada/activity"


def test_subdomains_make_the_callback_a_full_url() -> None:
    context = make_context(user_host=lambda name: f"https://{name}.hub.test")
    env = make_spawner(Still, context=context).get_env()
    assert env["JUPYTERHUB_OAUTH_CALLBACK_URL"] == (
        "https://ada.hub.test/base/user/ada/oauth_callback"
    )
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/base/user/ada/"


def test_configuration_reaches_the_class_and_its_parents() -> None:
    config = Config({"Spawner": {"args": ["--one"], "port": 1}, "Still": {"port": 2}})
    spawner = make_spawner(Still, context=make_context(config=config))
    assert (spawner.get_args(), spawner.port) == (["--one"], 2)


# -- options -------------------------------------------------------------------
async def test_the_options_form_may_be_text_or_made_for_the_spawner() -> None:
    async def later(spawner: Spawner) -> str:
        return f"<input name='{spawner.user.name}'>"

    assert await make_spawner(Still).get_options_form() == ""
    assert await make_spawner(Still, options_form="<p>").get_options_form() == "<p>"
    assert await make_spawner(Still, options_form=later).get_options_form() == "<input name='ada'>"


def test_forms_pass_through_unless_read_simply() -> None:
    form = {"one": ["1"], "two": ["1", "2"], "box": ["on"], "f_file": [{"filename": "x"}]}
    assert make_spawner(Still).run_options_from_form(form) == form
    assert make_spawner(Still, options_from_form="simple").options_from_query(form) == {
        "one": "1",
        "two": ["1", "2"],
        "box": True,
        "f_file": {"filename": "x"},
    }
    with pytest.raises(TraitError, match="'passthrough' or 'simple'"):
        make_spawner(Still, options_from_form="other")


def test_a_form_reader_gets_the_spawner_if_it_wants_it() -> None:
    def reader(form: dict[str, Any], spawner: Spawner) -> dict[str, Any]:
        return {"name": spawner.user.name, **form}

    assert make_spawner(Still, options_from_form=reader).run_options_from_form({"a": 1}) == {
        "name": "ada",
        "a": 1,
    }


def test_a_subclass_may_define_the_form_reader_as_a_method() -> None:
    class WithMethod(Still):
        def options_from_form(self, formdata: Any) -> Any:
            return {"size": formdata["size"][0]}

    spawner = make_spawner(WithMethod)
    assert spawner.options_from_query({"size": ["big"]}) == {"size": "big"}


async def test_options_are_applied_by_a_map_of_names() -> None:
    names = {"memory": "mem_limit", "cpus": "cpu_limit", "where": "notebook_dir"}
    spawner = make_spawner(Still, apply_user_options=names)
    await spawner._run_apply_user_options({"memory": "2G", "cpus": "1.5", "other": "x"})
    assert (spawner.mem_limit, spawner.cpu_limit, spawner.notebook_dir) == (2 << 30, 1.5, "")
    for bad in ({"memory": "lots"}, {"cpus": "many"}):
        with pytest.raises(TraitError):
            await spawner._run_apply_user_options(bad)


async def test_options_are_applied_by_a_callable() -> None:
    async def hook(spawner: Spawner, options: dict[str, Any]) -> None:
        spawner.args = [options["arg"]]

    spawner = make_spawner(Still, apply_user_options=hook)
    await spawner._run_apply_user_options({"arg": "--x"})
    assert spawner.args == ["--x"]


async def test_group_overrides_apply_in_key_order_and_merge_dicts() -> None:
    overrides = {
        "02-late": {"groups": ["staff"], "spawner_override": {"mem_limit": "2G"}},
        "01-early": {
            "groups": ["staff", "other"],
            "spawner_override": {
                "mem_limit": "1G",
                "environment": {"A": "new", "B": None, "C": {"deep": 1}},
                "args": lambda spawner: [spawner.user.name],
            },
        },
        "03-foreign": {"groups": ["other"], "spawner_override": {"mem_limit": "9G"}},
    }
    spawner = make_spawner(
        Still,
        groups=("staff",),
        group_overrides=overrides,
        environment={"B": "gone", "C": {"kept": 2}},
    )
    await spawner.apply_group_overrides()
    assert spawner.mem_limit == 2 << 30
    assert spawner.environment == {"A": "new", "C": {"kept": 2, "deep": 1}}
    assert spawner.args == ["ada"]


async def test_group_overrides_may_be_computed() -> None:
    async def overrides(spawner: Spawner) -> dict[str, Any]:
        return {"all": {"groups": ["staff"], "spawner_override": {"debug": True}}}

    spawner = make_spawner(Still, groups=("staff",), group_overrides=overrides)
    await spawner.apply_group_overrides()
    assert spawner.debug is True


@pytest.mark.parametrize("overrides", [{}, None, lambda spawner: None])
async def test_groups_are_not_looked_up_without_overrides(overrides: Any) -> None:
    class Person:
        name = "ada"

        @property
        def groups(self) -> Any:
            raise AssertionError("nobody needs them")

    spawner = make_spawner(Still)
    if overrides is not None:
        spawner.group_overrides = overrides
    spawner.user = Person()
    await spawner.apply_group_overrides()


# -- states and scopes -----------------------------------------------------------
@pytest.mark.parametrize(
    ("flag", "word"),
    [
        ("_spawn_pending", "spawn"),
        ("_proxy_pending", "spawn"),
        ("_stop_pending", "stop"),
        ("_check_pending", "check"),
        ("_rename_pending", "rename"),
    ],
)
def test_a_pending_spawner_is_active_and_not_ready(flag: str, word: str) -> None:
    spawner = make_spawner(Still)
    spawner._is_ready = True
    setattr(spawner, flag, True)
    assert (spawner.pending, spawner.ready, spawner.active) == (word, False, True)


async def test_scopes_may_be_listed_or_computed() -> None:
    async def scopes(spawner: Spawner) -> list[str]:
        return [f"read:users!user={spawner.user.name}"]

    assert await make_spawner(Still)._scopes_from("server_token_scopes") == []
    spawner = make_spawner(Still, server_token_scopes=scopes, oauth_client_allowed_scopes=["self"])
    assert await spawner._scopes_from("server_token_scopes") == ["read:users!user=ada"]
    assert spawner._allowed_oauth_scopes == ["self"]


async def test_a_dead_server_is_told_to_whoever_waits_for_it() -> None:
    class Dead(Still):
        async def poll(self) -> int | None:
            return 3

    told: list[str] = []
    spawner = make_spawner(Dead)
    spawner.add_poll_callback(lambda: 1 / 0)
    spawner.add_poll_callback(told.append, "dead")
    assert await spawner.poll_and_notify() == 3
    assert told == ["dead"]
    assert spawner._polling is False


def test_a_refusal_carries_its_words_and_status() -> None:
    error = SpawnException("over quota", reason="quota", message_html="<b>over</b>")
    assert (error.status_code, error.reason, error.log_message) == (400, "quota", "")
    assert (error.jupyterhub_message, error.jupyterhub_html_message) == (
        "over quota",
        "<b>over</b>",
    )


def test_the_hub_that_plugins_see_has_its_addresses() -> None:
    hub = PluginHub.from_address(ADDRESS)
    assert (hub.ip, hub.port, hub.base_url) == ("127.0.0.1", 18400, "/base/hub/")
    assert hub.server.base_url == hub.base_url
    assert hub.api_url == ADDRESS.api_url
    assert hub.url == ADDRESS.url


def test_the_hub_listens_elsewhere_than_others_connect_to_and_a_plugin_can_change_that() -> None:
    address = replace(ADDRESS, bind_url="http://0.0.0.0:18400/base/hub/")
    hub = PluginHub.from_address(address)
    assert (hub.ip, hub.connect_ip, hub.connect_port) == ("0.0.0.0", "127.0.0.1", 18400)
    assert (hub.url, hub.api_url) == (ADDRESS.url, ADDRESS.api_url)
    hub.connect_ip = "10.0.0.7"
    assert hub.api_url == "http://10.0.0.7:18400/base/hub/api"


@pytest.mark.parametrize("url", ["https://hub.test/hub/", "http+unix://%2Frun%2Fhub/hub/"])
def test_the_hub_can_be_reached_by_any_url(url: str) -> None:
    address = HubAddress(
        base_url="/",
        hub_prefix="/hub/",
        url=url,
        api_url=f"{url}api",
        bind_url="http://127.0.0.1:8081/hub/",
    )
    hub = PluginHub.from_address(address)
    assert (hub.url, hub.api_url, hub.port) == (url, f"{url}api", 8081)


async def test_certificates_are_signed_for_the_servers_names(tmp_path: Path) -> None:
    Certipy(store_dir=str(tmp_path)).create_ca("notebooks-ca")
    long_name = "n" * 80
    spawner = make_spawner(
        Still,
        user=long_name,
        internal_certs_location=str(tmp_path),
        internal_trust_bundles={"notebooks-ca": "ca.pem"},
        ssl_alt_names=["DNS:server.test"],
    )
    for _ in range(2):
        paths = await spawner.create_certs()
    assert paths["cafile"] == "ca.pem"
    cert = x509.load_pem_x509_certificate(
        await asyncio.to_thread(Path(paths["certfile"]).read_bytes)
    )
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "server.test"]
    assert (await spawner.move_certs(paths)) == paths


def test_what_listens_everywhere_has_the_machines_name_for_others_and_the_loopback_for_us() -> None:
    server = PluginServer(ip="0.0.0.0", port=81, base_url="/a/")
    assert server.url == f"http://{socket.gethostname()}:81/a/"
    assert server.near_host == "http://127.0.0.1:81"
    server.connect_ip = "hub.internal"
    assert server.host == server.near_host == "http://hub.internal:81"
