"""TLS between the parts of one installation (``internal_ssl``): who shows what to whom."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

HUB, PROXY_API, PROXY_CLIENT = "hub-ca", "proxy-api-ca", "proxy-client-ca"
SERVERS, SERVICES = "notebooks-ca", "services-ca"
AUTHORITIES = (HUB, PROXY_API, PROXY_CLIENT, SERVERS, SERVICES)
"""The private authorities, one for each kind of part."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The paths of a private key and of its certificate."""

    keyfile: str
    certfile: str


@dataclass(frozen=True, slots=True)
class Certificates:
    """What a hub needs to speak TLS with its parts.

    ``bundles``: for each authority, the file with those that its parts trust.
    ``alt_names``: names of this installation's machines, as ``DNS:name`` or ``IP:address``.
    """

    location: str
    alt_names: tuple[str, ...]
    bundles: Mapping[str, str]
    hub: KeyPair
    proxy_api: KeyPair
    proxy_client: KeyPair

    def calling_context(self) -> ssl.SSLContext:
        """For the hub's requests to its parts, whose names are checked."""
        context = ssl.create_default_context(cafile=self.bundles[HUB])
        context.load_cert_chain(self.hub.certfile, self.hub.keyfile)
        return context


def environment_of_pair(pair: KeyPair, client_ca: str) -> dict[str, str]:
    """The variables that tell a server or service its pair, and whom it trusts."""
    return {
        "JUPYTERHUB_SSL_KEYFILE": pair.keyfile,
        "JUPYTERHUB_SSL_CERTFILE": pair.certfile,
        "JUPYTERHUB_SSL_CLIENT_CA": client_ca,
    }


def make_caller_context(keyfile: str, certfile: str, client_ca: str) -> ssl.SSLContext | None:
    """The context for requests to a hub with ``internal_ssl``; None without any file.

    The arguments are the paths in JUPYTERHUB_SSL_KEYFILE, _CERTFILE and _CLIENT_CA.
    Raises OSError when a file cannot be read.
    """
    if not (certfile or client_ca):
        return None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=client_ca or None)
    if client_ca:
        # The private authority signs the hub alone, whose host name differs
        # between networks: being signed by it is the proof, not the name.
        context.check_hostname = False
    if certfile:
        context.load_cert_chain(certfile, keyfile or None)
    return context
