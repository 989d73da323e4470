"""From options to settings: every option arrives, and impossible values are refused."""

import dataclasses
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from perijove.config.ineffective import INEFFECTIVE
from perijove.config.settings import build_logs, build_settings
from perijove.domain.errors import ConfigError
from perijove.domain.settings import Settings


def settings(make_hub: Any, sections: Any = None, env: Any = None, **options: Any) -> Settings:
    return build_settings(make_hub(sections, **options), env or {}, read_only=True)


def test_the_defaults_are_settings_without_remarks(make_hub: Any) -> None:
    found = settings(make_hub)
    assert found.warnings == ()
    assert found.limits.concurrent_spawn_limit == 100
    assert found.limits.slow_spawn_timeout_s == 10
    assert found.servers.stopped_server_status == 424


CARRIED: list[tuple[str, Any, str, Any]] = [
    ("active_server_limit", 3, "limits.active_server_limit", 3),
    ("activity_resolution", 9, "activity.resolution_s", 9),
    ("admin_access", True, "security.admin_access", True),
    ("allow_existing_invalid_named_servers", "autorename",
     "servers.allow_existing_invalid_named_servers", "autorename"),
    ("allow_named_servers", True, "servers.allow_named_servers", True),
    ("api_page_default_limit", 7, "limits.api_page_default_limit", 7),
    ("api_page_max_limit", 70, "limits.api_page_max_limit", 70),
    ("api_tokens", {"t" * 8: "ada"}, "services.api_tokens", {"t" * 8: "ada"}),
    ("authenticate_prometheus", False, "security.authenticate_prometheus", False),
    ("cleanup_proxy", False, "processes.cleanup_proxy", False),
    ("cleanup_servers", False, "servers.cleanup_servers", False),
    ("concurrent_spawn_limit", 0, "limits.concurrent_spawn_limit", 0),
    ("cookie_host_prefix_enabled", True, "security.cookie_host_prefix_enabled", True),
    ("cookie_max_age_days", 0.5, "security.cookie_max_age_days", 0.5),
    ("cookie_max_age_days", 0.5, "security.oauth_token_life_s", 43200),
    ("cookie_secret", "ab" * 32, "security.cookie_secret", b"\xab" * 32),
    ("custom_scopes", {"custom:abc": {"description": "d"}}, "roles.custom_scopes",
     {"custom:abc": {"description": "d"}}),
    ("db_kwargs", {"pool_size": 3}, "database.kwargs", {"pool_size": 3}),
    ("db_url", "hub.db", "database.url", "sqlite:///hub.db"),
    ("debug_db", True, "database.echo", True),
    ("default_url", "/hub/x", "pages.default_url", "/hub/x"),
    ("extra_user_scopes", {"read:metrics"}, "roles.extra_user_scopes", {"read:metrics"}),
    ("implicit_spawn_seconds", 1.5, "servers.implicit_spawn_s", 1.5),
    ("init_spawners_timeout", 0, "servers.init_spawners_timeout_s", 1),
    ("init_spawners_timeout", -1, "servers.init_spawners_timeout_s", 86400),
    ("jinja_environment_options", {"a": 1}, "pages.jinja_options", {"a": 1}),
    ("last_activity_interval", 0, "activity.update_interval_s", 0),
    ("logo_file", "/logo.png", "pages.logo_file", "/logo.png"),
    ("named_server_limit_per_user", len, "servers.named_server_limit_per_user", len),
    ("oauth_require_pkce", True, "security.oauth_require_pkce", True),
    ("oauth_token_expires_in", 60, "security.oauth_token_life_s", 60),
    ("pid_file", "pid", "processes.pid_file", "pid"),
    ("redirect_to_server", False, "servers.redirect_to_server", False),
    ("reset_db", True, "database.reset", True),
    ("service_check_interval", 5, "services.check_interval_s", 5),
    ("service_tokens", {"t" * 8: "svc"}, "services.service_tokens", {"t" * 8: "svc"}),
    ("shutdown_on_logout", True, "servers.shutdown_on_logout", True),
    ("template_paths", ["/t"], "pages.template_paths", ("/t",)),
    ("template_vars", {"a": 1}, "pages.template_vars", {"a": 1}),
    ("token_expires_in_max_seconds", 5, "security.token_max_life_s", 5),
    ("tornado_settings", {"slow_spawn_timeout": 0}, "limits.slow_spawn_timeout_s", 0),
    ("tornado_settings", {"slow_stop_timeout": 2}, "limits.slow_stop_timeout_s", 2),
    ("tornado_settings", {"user_redirect_limit": 2}, "limits.user_redirect_limit", 2),
    ("tornado_settings", {"headers": {"X": "y"}}, "pages.headers", {"X": "y"}),
    ("tornado_settings", {"cookie_options": {"a": 1}}, "security.cookie_options", {"a": 1}),
    ("tornado_settings", {"xsrf_cookie_kwargs": {"a": 1}},
     "security.xsrf_cookie_options", {"a": 1}),
    ("tornado_settings", {"no_cache_static": True}, "pages.cache_static", False),
    ("tornado_settings", {"csp_report_uri": "/r"}, "pages.csp_report_uri", "/r"),
    ("tornado_settings", {"mine": 1}, "pages.tornado_settings", {"mine": 1}),
    ("trusted_downstream_ips", ["10.0.0.1"], "network.trusted_downstream_ips", ("10.0.0.1",)),
    ("upgrade_db", True, "database.upgrade", True),
    ("use_legacy_stopped_server_status_code", True, "servers.stopped_server_status", 503),
    ("user_redirect_hook", print, "servers.user_redirect_hook", print),
    ("hub_socket_mode", 0o660, "network.hub_socket_mode", 0o660),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value", "path", "expected"), CARRIED)
def test_an_option_arrives_in_its_rooms_settings(
    make_hub: Any, option: str, value: Any, path: str, expected: Any
) -> None:
    group, name = path.split(".")
    found = settings(make_hub, **{option: value})
    assert getattr(getattr(found, group), name) == expected


@pytest.mark.parametrize(
    ("option", "value", "name", "expected"),
    [
        ("extra_log_file", "f", "file", "f"),
        ("log_datefmt", "%H", "date_format", "%H"),
        ("log_format", "%(message)s", "format", "%(message)s"),
        ("log_level", "WARN", "level", 30),
        ("logging_config", {"root": {}}, "overrides", {"root": {}}),
    ],
)
def test_an_option_of_the_log_arrives(
    make_hub: Any, option: str, value: Any, name: str, expected: Any
) -> None:
    assert getattr(build_logs(make_hub(**{option: value})), name) == expected


def test_the_default_servers_name_counts_only_with_named_servers(
    make_hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    named = settings(make_hub, default_server_name="lab", allow_named_servers=True)
    assert named.servers.default_server_name == "lab"
    assert caplog.text == ""
    assert settings(make_hub, default_server_name="lab").servers.default_server_name == ""
    assert "default_server_name is not used" in caplog.text


def test_other_sections_arrive_too(make_hub: Any) -> None:
    found = settings(
        make_hub,
        {
            "PeriodicMetricsCollector": {"active_users_enabled": False},
            "JupyterHubHTTPClient": {
                "connector_options": {"limit": 3},
                "session_options": {"timeout": 5},
            },
            "CryptKeeper": {"keys": [b"k" * 32]},
        },
    )
    assert not found.metrics.active_users
    assert found.http.connector_options == {"limit": 3}
    assert found.http.session_options == {"timeout": aiohttp.ClientTimeout(total=5)}
    assert found.security.crypt_keys == (b"k" * 32,)


def test_an_option_that_the_http_client_lacks_is_named(make_hub: Any) -> None:
    with pytest.raises(ConfigError, match=r"connector_options.*limt.*limit"):
        settings(make_hub, {"JupyterHubHTTPClient": {"connector_options": {"limt": 3}}})


def test_keys_for_encryption_come_from_the_environment(
    make_hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", f"{'aa' * 32};{'bb' * 32}")
    assert settings(make_hub).security.crypt_keys == (b"\xaa" * 32, b"\xbb" * 32)


def test_anonymous_visitors_are_told_apart_as_the_environment_says(make_hub: Any) -> None:
    found = settings(
        make_hub,
        env={
            "JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS": "10.0.0.0/8;::/64",
            "JUPYTERHUB_XSRF_ANONYMOUS_ID_HEADERS": "User-Agent;Accept-Language",
        },
    )
    assert found.security.xsrf_anonymous_networks == ("10.0.0.0/8", "::/64")
    assert found.security.xsrf_anonymous_headers == ("User-Agent", "Accept-Language")
    assert settings(make_hub).security.xsrf_anonymous_headers == ("User-Agent",)
    with pytest.raises(ConfigError, match="CIDRS"):
        settings(make_hub, env={"JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS": "10.0.0.1/8"})


def test_roles_are_checked_with_the_scopes_of_the_configuration(make_hub: Any) -> None:
    role = {"name": "teacher", "scopes": ["custom:abc", "list:users!group=g"], "users": ["ada"]}
    found = settings(
        make_hub, load_roles=[role], custom_scopes={"custom:abc": {"description": "d"}}
    )
    assert found.roles.load_roles == (role,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"load_roles": [{"name": "teacher", "scope": []}]}, "there is no key 'scope'.*'scopes'"),
        (
            {"load_roles": [{"name": "teacher", "scopes": ["list:user"]}]},
            "did you mean 'list:users'",
        ),
        ({"load_roles": [{"name": "abc"}, {"name": "abc"}]}, "twice"),
        ({"load_roles": [{"scopes": []}]}, "needs a 'name'"),
        ({"custom_scopes": {"custom:x:y": {}}}, "custom_scopes.*needs a 'description'"),
        ({"extra_user_scopes": {"nope"}}, "'nope'"),
        ({"load_groups": {"g": {"member": []}}}, "there is no key 'member'"),
        ({"services": [{"name": "x", "tken": "a"}]}, "there is no key 'tken'"),
        ({"active_server_limit": -1}, "active_server_limit must be at least 0, and is -1"),
        ({"named_server_limit_per_user": -1}, "named_server_limit_per_user must be at least 0"),
        ({"cookie_max_age_days": 0}, "cookie_max_age_days must be more than 0"),
        ({"api_page_max_limit": 0}, "api_page_max_limit must be more than 0"),
        ({"api_page_default_limit": 300}, "must not be above api_page_max_limit"),
        ({"tornado_settings": {"slow_spawn_timeout": "1"}}, "slow_spawn_timeout.*number"),
        ({"tornado_settings": {"headers": 1}}, "headers.*dictionary"),
        ({"db_url": "mysql://h/d"}, "must be sqlite or postgresql, not 'mysql'"),
    ],
)
def test_an_impossible_value_is_one_sentence(
    make_hub: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        settings(make_hub, **options)
    assert "\n" not in caught.value.message


def test_a_database_password_is_not_in_the_message_of_a_wrong_kind(make_hub: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(make_hub, db_url="mysql://u:pa55word@h/d")
    assert "pa55word" not in caught.value.message


def test_a_wrong_value_in_a_small_section_is_refused(make_hub: Any) -> None:
    with pytest.raises(ConfigError, match="active_users_update_interval"):
        settings(make_hub, {"PeriodicMetricsCollector": {"active_users_update_interval": "x"}})


def test_internal_ssl_is_off_by_default(make_hub: Any) -> None:
    assert settings(make_hub).internal_tls is None


def test_internal_ssl_makes_the_hub_speak_https(make_hub: Any) -> None:
    found = settings(
        make_hub,
        internal_ssl=True,
        hub_connect_ip="192.0.2.7",
        subdomain_host="https://hub.test",
        trusted_alt_names=["DNS:other.test"],
        recreate_internal_certs=True,
    )
    assert found.network.hub_connect_url.startswith("https://192.0.2.7:")
    assert found.network.hub_bind_url.startswith("https://")
    assert found.internal_tls is not None
    assert found.internal_tls.recreate
    assert found.internal_tls.alt_names == ("DNS:other.test", "DNS:hub.test", "IP:192.0.2.7")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trusted_alt_names": ["hub.test"]}, "neither DNS:name nor IP:address"),
        ({"trusted_alt_names": ["IP:hub.test"]}, "neither DNS:name nor IP:address"),
        ({"hub_bind_url": "http+unix://%2Ftmp%2Fhub"}, "needs a hub at an address"),
        ({"hub_connect_url": "http://hub.test:1"}, "must begin with https://"),
        ({"external_ssl_authorities": {"hub_ca": {}}}, "did you mean 'hub-ca'"),
        ({"external_ssl_authorities": {"hub-ca": {"cert": "x"}}}, "needs 'key'"),
        ({"external_ssl_authorities": {"hub-ca": "x"}}, "must be a dictionary"),
        (
            {"external_ssl_authorities": {"hub-ca": {"cert": "/no", "key": "/no"}}},
            "cannot be read",
        ),
        (
            {"external_ssl_authorities": {"hub-ca": {"cert": "/", "key": "/", "pem": "/"}}},
            "is not one of key, cert, ca",
        ),
    ],
)
def test_what_internal_ssl_cannot_use_is_said(
    make_hub: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        settings(make_hub, internal_ssl=True, **options)


def test_a_hub_of_https_needs_internal_ssl(make_hub: Any) -> None:
    with pytest.raises(ConfigError, match="HTTPS only with internal_ssl"):
        settings(make_hub, hub_bind_url="https://127.0.0.1:8081")


@pytest.mark.parametrize("option", sorted(INEFFECTIVE))
def test_an_option_without_effect_is_told_when_it_is_set(make_hub: Any, option: str) -> None:
    default = make_hub().traits()[option].default()
    value = {bool: True, int: 9}[type(default)]
    told = settings(make_hub, **{option: value}).warnings
    assert [line for line in told if f"c.JupyterHub.{option} has no effect" in line]


def test_a_misspelt_tornado_setting_is_remarked_on(make_hub: Any) -> None:
    (remark,) = settings(make_hub, tornado_settings={"slow_spawn_timout": 1, "my_own": 2}).warnings
    assert remark.endswith(
        "['slow_spawn_timout'] has no effect; did you mean 'slow_spawn_timeout'?"
    )


def test_settings_do_not_show_secrets(make_hub: Any) -> None:
    found = settings(
        make_hub,
        {"CryptKeeper": {"keys": ["cafe" * 16]}},
        cookie_secret="beef" * 16,
        service_tokens={"s3cret-tok": "a"},
        db_url="postgresql://u:pa55@h/d",
    )
    shown = repr(found)
    for secret in ("s3cret-tok", "pa55", repr(b"\xbe\xef" * 16), repr(b"\xca\xfe" * 16)):
        assert secret not in shown


def test_settings_are_frozen(make_hub: Any) -> None:
    found = settings(make_hub)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.limits.active_server_limit = 5  # type: ignore[misc]


def test_building_for_real_writes_the_cookie_secret(make_hub: Any, workdir: Path) -> None:
    first = build_settings(make_hub(), {}).security.cookie_secret
    assert (workdir / "jupyterhub_cookie_secret").read_text().strip() == first.hex()
