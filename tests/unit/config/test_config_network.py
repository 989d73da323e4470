"""Addresses: what the options say together, and what is impossible."""

import os
from typing import Any

import pytest
from traitlets import TraitError

from perijove.config.addresses import parse_address
from perijove.config.network import build_network, check_extra_routes, remarks_on_route
from perijove.domain.errors import ConfigError
from perijove.domain.settings import NetworkSettings


def network(make_hub: Any, **options: Any) -> NetworkSettings:
    return build_network(make_hub(**options))


@pytest.mark.parametrize(
    ("options", "bind_url", "base_url"),
    [
        ({}, "http://:8000", "/"),
        ({"ip": "1.2.3.4"}, "http://1.2.3.4:8000/", "/"),
        ({"ip": "::1", "port": 9}, "http://[::1]:9/", "/"),
        ({"base_url": "x"}, "http://:8000/x/", "/x/"),
        ({"bind_url": "http://0.0.0.0:80/foo"}, "http://0.0.0.0:80/foo", "/foo/"),
        ({"bind_url": "https://127.0.0.1:443/"}, "http://127.0.0.1:443/", "/"),
        ({"ssl_cert": "c", "ssl_key": "k"}, "https://:8000", "/"),
        (
            {"bind_url": "http://127.0.0.1:443/", "ssl_cert": "c", "ssl_key": "k"},
            "https://127.0.0.1:443/",
            "/",
        ),
        (
            {"bind_url": "http+unix://%2Fsrv%2Fx.sock/foo"},
            "http+unix://%2Fsrv%2Fx.sock/foo",
            "/foo/",
        ),
    ],
)
def test_one_url_and_its_parts_agree(
    make_hub: Any, options: dict[str, Any], bind_url: str, base_url: str
) -> None:
    settings = network(make_hub, **options)
    assert (settings.bind_url.rstrip("/"), settings.base_url) == (bind_url.rstrip("/"), base_url)
    assert settings.hub_prefix == f"{base_url}hub/"
    assert settings.hub_routespec == base_url


def test_given_parts_win_over_the_url_and_leave_the_rest_of_it(
    make_hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings = network(make_hub, bind_url="http://127.0.0.1:80/foo", port=90)
    assert settings.bind_url == "http://127.0.0.1:90/foo/"
    assert caplog.text.count("Set one or the other") == 1


@pytest.mark.parametrize(
    ("url", "host"),
    [("http://0.0.0.0:18190", "0.0.0.0"), ("http://:18190", ""), ("http://[::]:18190", "::")],
)
def test_a_wildcard_address_stays_one(make_hub: Any, url: str, host: str) -> None:
    address = parse_address(network(make_hub, bind_url=url).bind_url)
    assert (address.host, address.port) == (host, 18190)


def test_a_public_socket_has_no_port(make_hub: Any) -> None:
    address = parse_address(network(make_hub, bind_url="http+unix://%2Fsrv%2Fx.sock").bind_url)
    assert (address.socket, address.port) == ("/srv/x.sock", 0)


@pytest.mark.parametrize(
    ("options", "connect_url"),
    [
        ({}, "http://127.0.0.1:8081/hub/"),
        ({"hub_ip": "::1"}, "http://[::1]:8081/hub/"),
        ({"hub_ip": "0.0.0.0"}, f"http://{os.uname().nodename}:8081/hub/"),
        ({"hub_ip": ""}, f"http://{os.uname().nodename}:8081/hub/"),
        (
            {"hub_bind_url": "http://127.0.0.1:99/foo", "base_url": "/b"},
            "http://127.0.0.1:99/b/hub/",
        ),
        ({"hub_bind_url": "http://0.0.0.0:99", "hub_connect_ip": "abc"}, "http://abc:99/hub/"),
        ({"hub_connect_ip": "abc", "hub_connect_port": 5}, "http://abc:5/hub/"),
        ({"hub_connect_url": "https://abc", "hub_port": 7}, "https://abc/hub/"),
        ({"hub_connect_url": "http://abc:99/foo", "base_url": "/q"}, "http://abc:99/q/hub/"),
        ({"hub_bind_url": "http+unix://%2Fh.sock"}, "http+unix://%2Fh.sock/hub/"),
    ],
)
def test_the_hub_is_reached_where_the_options_say(
    make_hub: Any, options: dict[str, Any], connect_url: str
) -> None:
    settings = network(make_hub, **options)
    assert settings.hub_connect_url == connect_url
    assert settings.hub_api_url == f"{connect_url}api"


def test_a_hub_on_a_socket_listens_there(make_hub: Any) -> None:
    settings = network(make_hub, hub_bind_url="http+unix://%2Fh.sock")
    assert (settings.hub_socket, settings.hub_host, settings.hub_port) == ("/h.sock", "", 0)


def test_subdomains_give_everybody_a_host(make_hub: Any) -> None:
    settings = network(make_hub, subdomain_host="hub.example:90", base_url="/x")
    assert settings.subdomain_host == "https://hub.example:90"
    assert settings.domain == "hub.example"
    assert settings.public_url == "https://hub.example:90/x/"
    assert settings.hub_routespec == "/"
    assert settings.host_of_user("ada") == "https://ada.hub.example:90"

    assert settings.public_host == "https://hub.example:90"


def test_without_subdomains_nobody_has_a_host(make_hub: Any) -> None:
    settings = network(make_hub)
    assert (settings.host_of_user("ada"), settings.public_host) == ("", "")


def test_a_hook_of_ones_own_names_the_hosts(make_hub: Any) -> None:
    settings = network(
        make_hub,
        subdomain_host="https://h.example",
        subdomain_hook=lambda name, domain, kind: f"{kind}-{name}.{domain}",
    )
    assert settings.host_of_user("ada") == "https://user-ada.h.example"


def test_a_public_url_gets_its_scheme_and_slash(
    make_hub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert network(make_hub, public_url="hub.example").public_url == "https://hub.example/"
    assert "public_url has no scheme" in caplog.text


@pytest.mark.parametrize(
    ("options", "route", "api_only", "answers_all"),
    [
        ({}, "/", False, True),
        ({"base_url": "/x"}, "/x/", False, True),
        ({"base_url": "/x", "hub_routespec": "/"}, "/", False, True),
        ({"hub_routespec": "/hub"}, "/hub/", False, False),
        ({"hub_routespec": "/hub/api"}, "/hub/api/", True, False),
        ({"base_url": "/x", "hub_routespec": "/x/hub/api/"}, "/x/hub/api/", True, False),
        (
            {"subdomain_host": "http://hub.example:90", "hub_routespec": "/hub/api/"},
            "hub.example/hub/api/",
            True,
            False,
        ),
        (
            {"subdomain_host": "http://hub.example", "hub_routespec": "hub.example/hub"},
            "hub.example/hub/",
            False,
            False,
        ),
    ],
)
def test_the_hubs_route_has_three_forms(
    make_hub: Any, options: dict[str, Any], route: str, api_only: bool, answers_all: bool
) -> None:
    settings = network(make_hub, **options)
    assert settings.hub_routespec == route
    assert (settings.api_only, settings.hub_answers_all) == (api_only, answers_all)


@pytest.mark.parametrize(
    ("route", "extra", "said"),
    [
        ("/", (), []),
        ("/hub/", (), ["servers that do not run", "nothing answers /"]),
        ("/hub/api/", (), ["no pages: /hub/login", "nothing answers /"]),
        ("/hub/api/", ("/",), ["API only", "c.Proxy.extra_routes answers /"]),
    ],
)
def test_a_hub_says_which_pages_are_off_and_what_answers_the_root(
    make_hub: Any, route: str, extra: tuple[str, ...], said: list[str]
) -> None:
    remarks = " ".join(remarks_on_route(network(make_hub, hub_routespec=route), extra))
    assert bool(remarks) == bool(said)
    assert all(part in remarks for part in said)


def test_no_route_of_the_operator_may_take_the_hubs_own(make_hub: Any) -> None:
    whole = network(make_hub, base_url="/x")
    with pytest.raises(ConfigError, match=r"'/x/' is the route of the hub itself.*'/x/hub/api/'"):
        check_extra_routes(whole, {"/x/": "http://127.0.0.1:1"})
    check_extra_routes(whole, {"/": "http://127.0.0.1:1", "/x/y/": "http://127.0.0.1:1"})
    apart = network(make_hub, subdomain_host="http://hub.example", hub_routespec="/hub/api/")
    check_extra_routes(apart, {"/": "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bind_url": "127.0.0.1:80"}, "bind_url"),
        ({"bind_url": ""}, "bind_url"),
        ({"port": 0}, "c.JupyterHub.port: a port is 1 to 65535"),
        ({"port": -1}, "c.JupyterHub.port"),
        ({"hub_port": 70000}, "c.JupyterHub.hub_port"),
        ({"bind_url": "http://127.0.0.1:99999"}, "no valid port"),
        ({"bind_url": "ftp://127.0.0.1"}, "not a URL"),
        ({"bind_url": "http://u:p@h/?q"}, "more than"),
        ({"bind_url": "http+unix:///x"}, "no socket"),
        ({"hub_connect_url": "abc:99"}, "hub_connect_url"),
        ({"public_url": "ftp://x"}, "public_url"),
        ({"subdomain_hook": "nope"}, "'idna' or 'legacy'"),
    ],
)
def test_an_impossible_address_is_refused_when_it_is_set(
    make_hub: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(TraitError, match=said):
        make_hub(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bind_url": "http://:0"}, "bind_url: a port is 1 to 65535"),
        ({"hub_bind_url": "http://:0"}, "hub_bind_url: a port is 1 to 65535"),
        ({"port": 8081}, "cannot both listen on port 8081"),
        ({"ssl_key": "k"}, "ssl_cert is empty"),
        ({"ssl_cert": "c"}, "ssl_key is empty"),
        ({"public_url": "https://h/b", "base_url": "/x/"}, "must contain base_url"),
        ({"hub_bind_url": "https://127.0.0.1:99"}, "speaks HTTP"),
        ({"hub_routespec": "foo/"}, "must begin with a slash"),
        ({"hub_routespec": "/foo/"}, "does not lead to the hub"),
        ({"hub_routespec": "/hub/api/", "base_url": "/x"}, "'/x/hub/api/' .REST API alone"),
    ],
)
def test_addresses_that_do_not_fit_together_are_refused(
    make_hub: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        network(make_hub, **options)
