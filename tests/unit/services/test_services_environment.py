"""What a managed service finds in its environment."""

import json
import os
import pwd

import pytest
from services_house import network

from perijove.domain.settings import ServiceSpec
from perijove.routes.addresses import Addresses
from perijove.services.environment import ServiceEnvironment

PLAIN = ServiceEnvironment(network(), Addresses("/"))


def test_a_service_learns_how_to_reach_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "a secret of the hub")
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "another")
    env = PLAIN.of(ServiceSpec("one", command=("x",)), "secret")
    assert env["JUPYTERHUB_API_TOKEN"] == env["JPY_API_TOKEN"] == "secret"
    assert env["JUPYTERHUB_API_URL"] == "http://127.0.0.1:8081/hub/api"
    assert env["JUPYTERHUB_BASE_URL"] == "/"
    assert env["JUPYTERHUB_SERVICE_NAME"] == "one"
    assert env["JUPYTERHUB_CLIENT_ID"] == "service-one"
    assert env["PATH"] == os.environ["PATH"]
    assert env["PYTHONPATH"] == "/somewhere"
    assert "JUPYTERHUB_SERVICE_URL" not in env
    assert not {"JUPYTERHUB_CRYPT_KEY", "CONFIGPROXY_AUTH_TOKEN"} & set(env)
    assert all(isinstance(value, str) for value in env.values())


def test_a_service_with_a_url_learns_where_it_is() -> None:
    spec = ServiceSpec("my stats", command=("x",), url="http://127.0.0.1:9999")
    env = PLAIN.of(spec, "secret")
    assert env["JUPYTERHUB_SERVICE_URL"] == "http://127.0.0.1:9999"
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/services/my%20stats/"
    assert env["JUPYTERHUB_OAUTH_CALLBACK_URL"] == "/services/my%20stats/oauth_callback"
    assert json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"]) == [
        "access:services",
        "access:services!service=my stats",
    ]
    assert env["JUPYTERHUB_PUBLIC_URL"] == ""
    assert PLAIN.url_of(spec) == "http://127.0.0.1:9999/services/my%20stats/"


def test_with_a_public_address_urls_are_full() -> None:
    addresses = Addresses("/", public_url="https://hub.example/")
    made = ServiceEnvironment(network(public_url="https://hub.example/"), addresses)
    env = made.of(ServiceSpec("one", command=("x",), url="http://127.0.0.1:1"), "s")
    assert env["JUPYTERHUB_PUBLIC_URL"] == "https://hub.example/services/one/"
    assert env["JUPYTERHUB_PUBLIC_HUB_URL"] == "https://hub.example/hub/"
    assert env["JUPYTERHUB_HOST"] == "https://hub.example"


def test_with_subdomains_a_service_lives_on_its_own_host() -> None:
    addresses = Addresses(
        "/",
        subdomain_host="https://hub.example",
        domain_hook=lambda name, domain, kind: f"{name}.{domain}",
    )
    made = ServiceEnvironment(network(subdomain_host="https://hub.example"), addresses)
    env = made.of(ServiceSpec("one", command=("x",), url="http://127.0.0.1:1"), "s")
    assert (
        env["JUPYTERHUB_OAUTH_CALLBACK_URL"]
        == "https://one.hub.example/services/one/oauth_callback"
    )
    assert env["JUPYTERHUB_PUBLIC_URL"] == "https://one.hub.example/services/one/"


def test_the_operators_own_variables_win() -> None:
    spec = ServiceSpec(
        "one", command=("x",), environment={"JUPYTERHUB_API_URL": "http://mine", "LANG": "de"}
    )
    env = PLAIN.of(spec, "s")
    assert (env["JUPYTERHUB_API_URL"], env["LANG"]) == ("http://mine", "de")


def test_a_service_of_another_user_has_that_users_home() -> None:
    account = pwd.getpwuid(os.getuid())
    env = PLAIN.of(ServiceSpec("one", command=("x",), user=account.pw_name), "s")
    assert (env["USER"], env["HOME"], env["SHELL"]) == (
        account.pw_name,
        account.pw_dir,
        account.pw_shell,
    )
    assert "HOME" not in PLAIN.of(ServiceSpec("one", command=("x",), user="nobody-here"), "s")


def test_cookie_options_and_allowed_scopes_are_passed_on() -> None:
    made = ServiceEnvironment(
        network(), Addresses("/"), {"SameSite": "None"}, cookie_host_prefix=True
    )
    spec = ServiceSpec("one", command=("x",), oauth_client_allowed_scopes=("read:users",))
    env = made.of(spec, "s")
    assert json.loads(env["JUPYTERHUB_COOKIE_OPTIONS"]) == {"SameSite": "None"}
    assert env["JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"] == "1"
    assert json.loads(env["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"]) == ["read:users"]
