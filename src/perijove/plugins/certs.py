"""Key pairs for the TLS between hub, proxy and servers (internal_ssl)."""

import hashlib
import threading

from certipy import Certipy
from certipy.certipy import CertNotFoundError

MAX_COMMON_NAME = 64
"""RFC 5280 (appendix A.1): the longest common name."""

_store_lock = threading.Lock()  # the store is one JSON file, read and written as a whole


def create_pair(location: str, name: str, authority: str, alt_names: list[str]) -> dict[str, str]:
    """A key and certificate ``name`` signed by ``authority`` in the store at ``location``.

    The paths as ``{keyfile, certfile}``. A pair of that name is replaced, since
    its names may have changed. Blocks: call it in a thread.
    """
    if len(name) > MAX_COMMON_NAME:
        name = f"{name[:20]}-{hashlib.sha256(name.encode()).hexdigest()[:40]}"
    with _store_lock:
        store = Certipy(store_dir=location)
        try:
            store.store.get_record(name)
            replace = True
        except CertNotFoundError:
            replace = False
        store.create_signed_pair(name, authority, alt_names=alt_names, overwrite=replace)
        files = store.store.get_record(name)["files"]
    return {"keyfile": files["key"], "certfile": files["cert"]}
