"""Every option that JupyterHub's configuration files set exists, and means the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from traitlets import HasTraits
from traitlets.config import Configurable

from perijove.config.generate import type_name
from perijove.config.hub import JupyterHub
from perijove.config.known import FAMILIES
from perijove.config.sections import SECTIONS
from perijove.plugins.discover import import_dotted

FACTS: dict[str, dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "data" / "config-options.json").read_text()
)["classes"]

OWN = {cls.__name__: cls for cls in (JupyterHub, *SECTIONS)}

OWN_DEFAULTS = {
    ("JupyterHub", "data_files_path"),  # our pages come with the package
    ("JupyterHub", "cookie_secret"),  # made at the start in both
    ("EventLogger", "handlers"),
}
OWN_TYPES = {("EventLogger", "handlers")}


def hub_class(name: str) -> type[Configurable]:
    found = OWN.get(name) or import_dotted(FAMILIES[name])
    assert isinstance(found, type)
    return found


ALL = [(section, option) for section, options in FACTS.items() for option in options]
OF_OWN = [pair for pair in ALL if pair[0] in OWN]


def test_the_facts_cover_the_whole_of_the_hub() -> None:
    assert len(FACTS["JupyterHub"]) == 95
    assert set(FACTS) == {*OWN, *FAMILIES}


@pytest.mark.parametrize(("section", "option"), ALL)
def test_every_option_of_upstream_exists(section: str, option: str) -> None:
    assert option in hub_class(section).class_traits(config=True)


@pytest.mark.parametrize(("section", "option"), OF_OWN)
def test_an_option_has_upstreams_type_and_is_deprecated_where_it_is_there(
    section: str, option: str
) -> None:
    trait = hub_class(section).class_traits()[option]
    fact = FACTS[section][option]
    if (section, option) not in OWN_TYPES:
        assert type_name(trait) == fact["type"]
    assert trait.allow_none == fact.get("allow_none", False)
    assert bool(trait.metadata.get("deprecated")) == fact.get("deprecated", False)
    assert trait.help.startswith("Deprecated:") == fact.get("deprecated", False)


@pytest.mark.parametrize(("section", "option"), OF_OWN)
def test_an_option_has_upstreams_default(section: str, option: str) -> None:
    expected = FACTS[section][option]["default"]
    if (section, option) in OWN_DEFAULTS or (isinstance(expected, str) and "<" in expected):
        return
    if expected == ["<data_files_path>/templates"]:
        return
    holder: HasTraits = hub_class(section)()
    value = getattr(holder, option)
    if isinstance(value, set):
        value = sorted(value)
    if isinstance(value, type):
        value = value.__name__
    assert value == expected


def test_pages_and_logo_come_from_the_data_files() -> None:
    hub = JupyterHub(data_files_path="/data")
    assert hub.template_paths == ["/data/templates"]
    assert Path(hub.logo_file).is_file()
    assert Path(JupyterHub().template_paths[0]).is_dir()


def test_the_logo_of_own_data_files_is_used_when_it_is_there(tmp_path: Path) -> None:
    logo = tmp_path / "static" / "images" / "jupyterhub-80.png"
    logo.parent.mkdir(parents=True)
    logo.write_bytes(b"png")
    assert JupyterHub(data_files_path=str(tmp_path)).logo_file == str(logo)


def test_tokens_of_oauth_live_as_long_as_cookies(make_hub: Any) -> None:
    assert make_hub(cookie_max_age_days=1).oauth_token_expires_in == 86400
    assert make_hub(cookie_max_age_days=1, oauth_token_expires_in=5).oauth_token_expires_in == 5


def test_a_path_is_a_sqlite_database(make_hub: Any) -> None:
    assert make_hub(db_url="hub.sqlite").db_url == "sqlite:///hub.sqlite"
    assert make_hub(db_url="postgresql://h/d").db_url == "postgresql://h/d"


@pytest.mark.parametrize(
    ("old", "value", "section", "new", "carried"),
    [
        ("admin_users", {"ada"}, "Authenticator", "admin_users", {"ada"}),
        ("debug_proxy", True, "ConfigurableHTTPProxy", "debug", True),
        ("proxy_auth_token", "t" * 32, "ConfigurableHTTPProxy", "auth_token", "t" * 32),
        ("proxy_check_interval", 9, "ConfigurableHTTPProxy", "check_running_interval", 9),
        ("proxy_cmd", "chp", "ConfigurableHTTPProxy", "command", ["chp"]),
        ("proxy_api_ip", "10.0.0.1", "ConfigurableHTTPProxy", "api_url", "http://10.0.0.1:8001"),
        ("proxy_api_port", 33, "ConfigurableHTTPProxy", "api_url", "http://127.0.0.1:33"),
    ],
)
def test_an_option_that_moved_is_carried_over_with_a_warning(
    make_hub: Any,
    caplog: pytest.LogCaptureFixture,
    old: str,
    value: Any,
    section: str,
    new: str,
    carried: Any,
) -> None:
    hub = make_hub(**{old: value})
    assert hub.config[section][new] == carried
    assert f"c.JupyterHub.{old} is deprecated, use c.{section}.{new}" in caplog.text
    assert "t" * 32 not in caplog.text


def test_two_old_options_make_one_address(make_hub: Any) -> None:
    hub = make_hub(proxy_api_ip="::1", proxy_api_port=33)
    assert hub.config.ConfigurableHTTPProxy.api_url == "http://[::1]:33"


def test_the_new_option_wins_over_the_old_one(make_hub: Any) -> None:
    hub = make_hub({"ConfigurableHTTPProxy": {"command": ["new"]}}, proxy_cmd=["old"])
    assert hub.config.ConfigurableHTTPProxy.command == ["new"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("api_tokens", {"a" * 32: "ada"}),
        ("extra_log_file", "hub.log"),
        ("hub_connect_port", 5),
        ("admin_access", True),
        ("extra_handlers", [("/x", object)]),
    ],
)
def test_an_option_that_is_discouraged_says_what_to_do_instead(
    make_hub: Any, caplog: pytest.LogCaptureFixture, option: str, value: Any
) -> None:
    make_hub(**{option: value})
    assert f"c.JupyterHub.{option} is deprecated:" in caplog.text
    assert "a" * 32 not in caplog.text


def test_changed_options_are_not_logged_with_their_values(
    make_hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    make_hub(service_tokens={"s3cret-token": "svc"}, log_level=10)
    assert "s3cret-token" not in caplog.text
