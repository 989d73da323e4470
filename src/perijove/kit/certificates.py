"""The private authorities of one installation, and the key pairs that they sign.

With ``internal_ssl`` hub, proxy, servers and services show one another
certificates. Each kind of part has an authority of its own, so that trust can be
given by kind: a server takes connections from the hub and the proxy, and none
from another person's server.

Everything here blocks, the making of a key for about a tenth of a second.
"""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from certipy import Certipy
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from perijove.kit.tls import (
    HUB,
    PROXY_API,
    PROXY_CLIENT,
    SERVERS,
    SERVICES,
    Certificates,
    KeyPair,
)
from perijove.kit.urls import escape_name

TRUST: Mapping[str, tuple[str, ...]] = {
    HUB: (HUB, PROXY_API, PROXY_CLIENT, SERVERS, SERVICES),
    PROXY_API: (HUB, SERVERS, SERVICES),
    PROXY_CLIENT: (HUB, SERVERS, SERVICES),
    SERVERS: (HUB, PROXY_CLIENT),
    SERVICES: (HUB, PROXY_API, PROXY_CLIENT),
}
"""Authority to those whose certificates its parts accept."""

LOCAL_NAMES = ("IP:127.0.0.1", "DNS:localhost")

MAX_COMMON_NAME = 64
"""RFC 5280 (appendix A.1): the longest common name."""

RENEW_BEFORE = timedelta(days=180)
"""A pair that ends sooner is made anew: the process that gets it may run for long."""

_threads = threading.Lock()  # flock tells processes apart, and not threads


def pair_of_service(certificates: Certificates, name: str) -> KeyPair:
    """The pair of a managed service. Raises OSError."""
    names = [*LOCAL_NAMES, *certificates.alt_names]
    return ensure_pair(certificates.location, f"service-{escape_name(name)}", SERVICES, names)


def make_certificates(
    location: str,
    *,
    alt_names: Sequence[str] = (),
    outside: Mapping[str, Mapping[str, str]] | None = None,
    anew: bool = False,
) -> Certificates:
    """Authorities, bundles, and the pairs of hub and proxy in ``location``.

    What is there and valid is kept, so that servers of an earlier hub are still
    trusted, unless ``anew``. ``outside``: authority to the files (``key``,
    ``cert``, ``ca``) of one from elsewhere. Raises OSError.
    """
    location = os.path.abspath(location)
    with _store(location, anew=anew) as certipy:
        for authority, files in (outside or {}).items():
            record = {kind: os.path.abspath(path) for kind, path in files.items()}
            certipy.store.add_record(authority, is_ca=True, files=record, overwrite=True)
        bundles = certipy.trust_from_graph(TRUST)
    names = [*LOCAL_NAMES, *alt_names]
    return Certificates(
        location=location,
        alt_names=tuple(alt_names),
        bundles=bundles,
        hub=ensure_pair(location, "hub-internal", HUB, names),
        proxy_api=ensure_pair(location, "proxy-api", PROXY_API, names),
        proxy_client=ensure_pair(location, "proxy-client", PROXY_CLIENT, names),
    )


def ensure_pair(location: str, name: str, authority: str, alt_names: Sequence[str]) -> KeyPair:
    """The pair ``name``, signed by ``authority`` in the store at ``location``.

    A new one unless there is one for exactly these names that stays valid for
    long enough. Raises OSError.
    """
    if len(name) > MAX_COMMON_NAME:
        name = f"{name[:20]}-{hashlib.sha256(name.encode()).hexdigest()[:40]}"
    with _store(location) as certipy:
        record = certipy.store.store.get(name)
        if record is None or not _serves(certipy, record, authority, alt_names):
            certipy.create_signed_pair(
                name, authority, alt_names=list(alt_names), overwrite=record is not None
            )
        files = certipy.store.get_record(name)["files"]
    return KeyPair(files["key"], files["cert"])


def _serves(
    certipy: Certipy, record: Mapping[str, Mapping[str, str]], authority: str, names: Sequence[str]
) -> bool:
    files = record["files"]
    try:
        certificate = _read(files["cert"])
        certificate.verify_directly_issued_by(
            _read(certipy.store.get_record(authority)["files"]["cert"])
        )
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False  # unreadable, or signed by an authority that is no more
    ends_late = certificate.not_valid_after_utc - RENEW_BEFORE > datetime.now(UTC)
    return ends_late and os.path.exists(files["key"]) and set(found) == set(map(_alt_name, names))


def _read(path: str) -> x509.Certificate:
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read())


def _alt_name(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    return x509.IPAddress(ip_address(value)) if kind == "IP" else x509.DNSName(value)


@contextmanager
def _store(location: str, *, anew: bool = False) -> Iterator[Certipy]:
    """The store, for one thread of one process at a time: it is one file, written as a whole."""
    os.makedirs(location, mode=0o755, exist_ok=True)
    with _threads, open(os.path.join(location, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if anew and os.path.exists(index := os.path.join(location, "certipy.json")):
            os.remove(index)
        yield Certipy(store_dir=location)
