"""Names on the classes that plug-ins inherit: a new one may be an attribute of somebody's subclass.

``plugin-base-names.json`` has the public names that JupyterHub 6.1.1 defines on each class.
"""

import json
from pathlib import Path

import pytest

from perijove.compat.api import APIHandler
from perijove.compat.base import BaseHandler
from perijove.compat.login import LoginHandler, LogoutHandler
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.chp import ConfigurableHTTPProxy
from perijove.plugins.local import LocalProcessSpawner, SimpleLocalProcessSpawner
from perijove.plugins.local_auth import LocalAuthenticator
from perijove.plugins.pam import PAMAuthenticator
from perijove.plugins.proxy import Proxy
from perijove.plugins.simple_auth import (
    DummyAuthenticator,
    NullAuthenticator,
    SharedPasswordAuthenticator,
)
from perijove.plugins.spawner import Spawner

RECORDED: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[2] / "data" / "plugin-base-names.json").read_text()
)

CLASSES: tuple[type, ...] = (
    *(Spawner, LocalProcessSpawner, SimpleLocalProcessSpawner),
    *(Authenticator, LocalAuthenticator, PAMAuthenticator),
    *(DummyAuthenticator, NullAuthenticator, SharedPasswordAuthenticator),
    *(Proxy, ConfigurableHTTPProxy),
    *(BaseHandler, LoginHandler, LogoutHandler, APIHandler),
)

OURS: dict[str, set[str]] = {
    # Old name of an option; a hub that ignored it would let blocked people in.
    "Authenticator": {"blacklist"},
    # Documented options.
    "ConfigurableHTTPProxy": {"error_path", "error_target", "other_api_urls"},
    # What JupyterHub sets on each object, and what older releases had.
    "BaseHandler": {"expanded_scopes", "parsed_scopes", "statsd"},
}
"""Class to public names of ours that are there on purpose; they count for subclasses too."""

LEFT_OUT: dict[str, set[str]] = {
    "Spawner": {"oauth_scopes"},
    "ConfigurableHTTPProxy": {"api_request", "proxy_process"},
    "BaseHandler": {
        *("get_accessible_services", "oauth_provider", "spawn_home_error"),
        *("set_service_cookie", "set_session_cookie"),
    },
    "APIHandler": {
        *("accepts_pagination", "get_api_pagination", "paginated_model", "token_model"),
        *("check_post_content_type", "check_referer"),
    },
}
"""Class to names of JupyterHub's that ours do without: parts of how its own pages and API work."""


def allowed(cls: type, table: dict[str, set[str]]) -> set[str]:
    return set().union(*(table.get(parent.__name__, set()) for parent in cls.__mro__))


def own_names(cls: type) -> set[str]:
    """Public names that the hub's classes add to those of traitlets and tornado."""
    ours = [c for c in cls.__mro__ if c.__module__.startswith("perijove")]
    others = [c for c in cls.__mro__ if c not in ours]
    names = {n for c in ours for n in (*vars(c), *getattr(c, "__annotations__", {}))}
    return {n for n in names if not n.startswith("_") and not any(hasattr(c, n) for c in others)}


def test_all_recorded_classes_are_held_against_ours() -> None:
    assert {key.rpartition(":")[2] for key in RECORDED} == {cls.__name__ for cls in CLASSES}


@pytest.mark.parametrize("cls", CLASSES)
def test_a_base_class_has_no_public_names_of_our_own(cls: type) -> None:
    assert own_names(cls) - set(recorded(cls)) == allowed(cls, OURS)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_base_class_has_the_names_that_subclasses_know(cls: type) -> None:
    assert {n for n in recorded(cls) if not hasattr(cls, n)} == allowed(cls, LEFT_OUT)


def recorded(cls: type) -> list[str]:
    (names,) = (names for key, names in RECORDED.items() if key.endswith(f":{cls.__name__}"))
    return names
