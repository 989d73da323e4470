"""TLS between the parts of one installation: from ``internal_ssl`` to its settings."""

import os
from collections.abc import Mapping
from ipaddress import ip_address

from perijove.config.hub import JupyterHub
from perijove.config.words import check_dict, nearest
from perijove.domain.errors import ConfigError
from perijove.domain.settings import InternalTlsSettings, NetworkSettings
from perijove.kit.tls import AUTHORITIES

FILES = ("key", "cert", "ca")


def build_internal_tls(hub: JupyterHub, network: NetworkSettings) -> InternalTlsSettings | None:
    """What ``internal_ssl`` needs; None when neither it nor ``generate_certs`` is on.

    Raises ConfigError.
    """
    if not (hub.internal_ssl or hub.generate_certs):
        return None
    names = [_checked_name(name) for name in hub.trusted_alt_names]
    if network.domain and network.subdomain_host:
        names.append(f"DNS:{network.domain}")
    if host := network.hub_connect_host:
        names.append(f"IP:{host}" if _is_address(host) else f"DNS:{host}")
    return InternalTlsSettings(
        location=os.path.abspath(hub.internal_certs_location),
        recreate=hub.recreate_internal_certs,
        authorities=_authorities(hub.external_ssl_authorities),
        alt_names=tuple(dict.fromkeys(names)),
    )


def _checked_name(name: str) -> str:
    kind, colon, value = name.partition(":")
    if kind == "IP" and _is_address(value):
        return name
    if kind == "DNS" and colon and value.strip() and value.isascii():
        return name
    raise ConfigError(
        f"c.JupyterHub.trusted_alt_names: {name!r} is neither DNS:name nor IP:address"
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _authorities(given: Mapping[str, object]) -> dict[str, dict[str, str]]:
    option = "c.JupyterHub.external_ssl_authorities"
    authorities = {}
    for name, files in given.items():
        if name not in AUTHORITIES:
            near = nearest(name, AUTHORITIES)
            advice = f"did you mean {near!r}?" if near else f"there are {', '.join(AUTHORITIES)}"
            raise ConfigError(f"{option}: there is no authority {name!r}; {advice}")
        paths = check_dict(f"{option}[{name!r}]", files)
        for kind in ("key", "cert"):
            if kind not in paths:
                raise ConfigError(
                    f"{option}[{name!r}] needs {kind!r}: the hub signs certificates with it"
                )
        for kind, path in paths.items():
            if kind not in FILES:
                raise ConfigError(f"{option}[{name!r}]: {kind!r} is not one of {', '.join(FILES)}")
            if not os.access(path, os.R_OK):
                raise ConfigError(f"{option}[{name!r}]: {path} cannot be read")
        authorities[name] = {kind: os.path.abspath(path) for kind, path in paths.items()}
    return authorities
