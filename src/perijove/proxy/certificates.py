"""The certificates of one listening side: chosen by name, and replaced while it runs.

The context that listens stays the same, so that nothing has to listen anew. Its
own certificate is loaded into it again; certificates for other names (SNI, RFC
6066 section 3) have contexts of their own, which are swapped as a whole. New
files are tried out on the side first: while they do not fit together, as half
way through a renewal, the old certificates stay in use.
"""

import logging
import os
import ssl
from contextlib import suppress

from perijove.proxy.tls import TlsFault, TlsFiles, server_context

log = logging.getLogger("perijove.proxy")

_LOOK_S = 2.0
"""Between looks at the files."""


class Certificates:
    """What clients of one side are shown. ``option`` is the options' common start."""

    def __init__(self, files: TlsFiles, option: str, http2: bool = False) -> None:
        """Load the files. Raises TlsFault."""
        self._files = files
        self._option = option
        self._http2 = http2
        self._look_at = 0.0
        self._stamp = self._stat()
        self.context = server_context(files, option, http2)
        self._named = self._load_named()
        if files.sni:
            self.context.sni_callback = self._choose

    def _load_named(self) -> dict[str, ssl.SSLContext]:
        named = {}
        for sni in self._files.sni:
            files = self._files.with_pair(sni.cert, sni.key)
            named[sni.name.lower()] = server_context(files, f"{self._option}-sni", self._http2)
        return named

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Show the certificate for the name that the client asks for, else the first one."""
        if name:
            name = name.lower().rstrip(".")
            wild = f"*.{name.partition('.')[2]}"
            context = self._named.get(name) or self._named.get(wild)
            if context is not None:
                connection.context = context

    def reload(self) -> bool:
        """Read the files anew; False, and a line in the log, if that is impossible."""
        try:
            server_context(self._files, self._option, self._http2)
            named = self._load_named()
            self.context.load_cert_chain(
                self._files.cert, self._files.key, password=self._files.passphrase
            )
        except (TlsFault, OSError, ValueError) as error:
            log.error("Certificates stay as they are: %s", error)
            return False
        self._named = named
        log.info("Certificates loaded anew (%s)", self._option)
        return True

    def watch(self, now: float) -> None:
        """Reload when a file has changed; call it every second or so."""
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        stamp = self._stat()
        if stamp != self._stamp:
            self._stamp = stamp
            self.reload()

    def _stat(self) -> list[tuple[int, int, int]]:
        paths = [self._files.cert, self._files.key]
        paths += [path for sni in self._files.sni for path in (sni.cert, sni.key)]
        stamp = []
        for path in paths:
            with suppress(OSError):
                found = os.stat(path)
                stamp.append((found.st_mtime_ns, found.st_ino, found.st_size))
        return stamp
