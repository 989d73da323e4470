"""Services: from the dictionaries of the configuration to checked values.

A mistake stops the start with a sentence that names the service and the key, so
that it is not found later, as a service that silently has no rights.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from perijove.config.words import check_dict, check_keys, check_text, check_texts
from perijove.domain.errors import ConfigError
from perijove.domain.settings import ServiceSpec
from perijove.kit.crypto import MAX_TOKEN_LENGTH

MIN_TOKEN_LENGTH = 8

_TEXTS = ("url", "api_token", "cwd", "user", "oauth_client_id", "oauth_redirect_uri")
_SWITCHES = ("admin", "display", "oauth_no_confirm")
_LISTS = ("oauth_client_allowed_scopes", "oauth_roles")
KEYS = (
    *("name", "url", "command", "api_token", "cwd", "environment", "user", "timeout"),
    *("display", "info", "admin"),
    *("oauth_client_id", "oauth_redirect_uri", "oauth_no_confirm"),
    *_LISTS,
)
_OAUTH_KEYS = ("oauth_no_confirm", "oauth_client_id")
_PERCENT_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


def read_services(definitions: Iterable[Any]) -> tuple[ServiceSpec, ...]:
    """All services. Raises ConfigError for the first mistake."""
    services: dict[str, ServiceSpec] = {}
    clients: dict[str, str] = {}
    for definition in definitions:
        service = read_service(definition)
        if service.name in services:
            raise ConfigError(f"service {service.name!r} is defined twice in c.JupyterHub.services")
        if service.has_oauth and service.client_id in clients:
            raise ConfigError(
                f"services {clients[service.client_id]!r} and {service.name!r} have the same "
                f"oauth_client_id {service.client_id!r}"
            )
        services[service.name] = service
        clients[service.client_id] = service.name
    return tuple(services.values())


def read_service(definition: Any) -> ServiceSpec:
    """One service. Raises ConfigError with one sentence."""
    if not isinstance(definition, Mapping):
        raise ConfigError(f"a service is defined by a dictionary, not by {definition!r}")
    if "name" not in definition:
        check_keys("a service", definition, KEYS)
        keys = ", ".join(sorted(map(str, definition)))
        raise ConfigError(f"a service needs a 'name'; one has only these keys: {keys}")
    name = check_service_name(definition["name"])
    what = f"service {name!r}"
    check_keys(what, definition, KEYS)
    values: dict[str, Any] = {"name": name}
    for key, value in definition.items():
        if key != "name":
            values["timeout_s" if key == "timeout" else key] = _checked(what, key, value)
    service = ServiceSpec(**values)
    _check_oauth(what, service)
    return service


def check_service_name(name: Any) -> str:
    """The name, if a service can have it. Raises ConfigError."""
    text = check_text("the name of a service", name)
    if not text:
        raise ConfigError("the name of a service cannot be empty")
    wrong = ""
    if "/" in text:
        wrong = "contain a slash"
    elif _PERCENT_ESCAPE.search(text):
        wrong = "contain a percent escape"
    elif not text.strip("."):
        wrong = "consist of dots"
    elif text != text.strip():
        wrong = "begin or end with a space"
    elif not text.isprintable():
        wrong = "contain control characters"
    if wrong:
        raise ConfigError(f"service {text!r}: a name cannot {wrong}, since it is part of URLs")
    return text


def _checked(what: str, key: str, value: Any) -> Any:
    label = f"{what}: {key!r}"
    if key == "api_token":
        return check_token(label, value) if value else ""
    if key == "url":
        return _check_url(label, value)
    if key == "oauth_redirect_uri":
        return _check_redirect(label, value)
    if key in _TEXTS:
        return check_text(label, value)
    if key in _SWITCHES:
        if not isinstance(value, bool):
            raise ConfigError(f"{label} must be True or False, not {value!r}")
        return value
    if key in _LISTS:
        return check_texts(label, value)
    if key == "command":
        return check_texts(label, [value] if isinstance(value, str) and value else value or ())
    if key == "environment":
        return _check_environment(label, value)
    if key == "timeout":
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ConfigError(f"{label} must be a number of seconds, not {value!r}")
        return value
    return check_dict(label, value)


def check_token(label: str, value: Any) -> str:
    """The token, if its length is right. Its text never gets into a message."""
    if not isinstance(value, str):
        raise ConfigError(f"{label} must be text")
    if not MIN_TOKEN_LENGTH <= len(value) <= MAX_TOKEN_LENGTH:
        raise ConfigError(
            f"{label} must have {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} characters, "
            f"and has {len(value)} (openssl rand -hex 32 makes a good one)"
        )
    return value


def _check_url(label: str, value: Any) -> str:
    url = check_text(label, value)
    if not url:
        return ""
    parts = urlsplit(url)
    try:
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_valid:
        raise ConfigError(f"{label} must be a URL such as http://127.0.0.1:9000, not {url!r}")
    return url


def _check_redirect(label: str, value: Any) -> str:
    """An absolute URI without a fragment (RFC 6749, section 3.1.2), or a path on the hub's host."""
    uri = check_text(label, value)
    parts = urlsplit(uri)
    is_absolute = bool(parts.scheme) and parts.scheme not in {"javascript", "data", "vbscript"}
    is_path = uri.startswith("/") and not uri.startswith("//")
    if uri and (not (is_absolute or is_path) or "#" in uri or not uri.isprintable() or " " in uri):
        raise ConfigError(
            f"{label} must be a URL such as https://app.example.org/callback or a path, without "
            f"a fragment, not {uri!r}"
        )
    return uri


def _check_environment(label: str, value: Any) -> dict[str, str]:
    environment = check_dict(label, value)
    for name, text in environment.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ConfigError(f"{label} must map texts to texts, which {name!r} does not")
    return environment


def _check_oauth(what: str, service: ServiceSpec) -> None:
    if service.oauth_client_id and not service.oauth_client_id.startswith("service-"):
        raise ConfigError(
            f"{what}: 'oauth_client_id' must begin with 'service-', "
            f"and {service.oauth_client_id!r} does not"
        )
    if service.has_oauth and not service.url and not service.oauth_redirect_uri:
        because = next(key for key in _OAUTH_KEYS if getattr(service, key))
        raise ConfigError(
            f"{what}: {because!r} makes it an OAuth client, so without a 'url' of its own it "
            "needs 'oauth_redirect_uri'"
        )


def read_tokens(option: str, tokens: Mapping[Any, Any]) -> dict[str, str]:
    """Tokens to names, as ``service_tokens`` and ``api_tokens`` give them."""
    label = f"a token in c.JupyterHub.{option}"
    for token, name in tokens.items():
        check_token(label, token)
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{label} must belong to a name, not to {name!r}")
        if option == "service_tokens":
            check_service_name(name)
    return dict(tokens)
