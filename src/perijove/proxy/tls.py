"""TLS on three sides: towards clients, on the API, and towards servers."""

import ssl
from dataclasses import dataclass, replace

_VERSIONS = {
    "TLSv1_2": (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2),
    "TLSv1_3": (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3),
    "TLS": (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED),
    "SSLv23": (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED),
}


@dataclass(frozen=True, slots=True)
class SniFiles:
    """Another certificate, for clients that ask for ``name`` (or ``*.`` and a domain)."""

    name: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What one side of the command line says: PEM files and what to ask of the other end."""

    key: str = ""
    cert: str = ""
    ca: str = ""
    request_cert: bool = False
    reject_unauthorized: bool = False
    protocol: str = ""
    ciphers: str = ""
    dhparam: str = ""
    passphrase: str = ""
    sni: tuple[SniFiles, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.key or self.cert)

    def with_pair(self, cert: str, key: str) -> "TlsFiles":
        """The same with another certificate and key."""
        return replace(self, cert=cert, key=key, sni=())


class TlsFault(ValueError):
    """The TLS options do not fit together, or a file cannot be used."""


def server_context(files: TlsFiles, option: str, http2: bool = False) -> ssl.SSLContext:
    """For listening. ``option`` is the options' common start, for messages.

    Raises TlsFault, with the option to look at.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    if files.protocol:
        name = files.protocol.removesuffix("_method").removesuffix("_server")
        if name not in _VERSIONS:
            raise TlsFault(
                f"{option}-protocol: {files.protocol!r} is none of {', '.join(_VERSIONS)}"
            )
        context.minimum_version, context.maximum_version = _VERSIONS[name]
    _load_pair(context, files, option)
    try:
        if files.ciphers:
            context.set_ciphers(files.ciphers)
        if files.dhparam:
            context.load_dh_params(files.dhparam)
        if files.ca:
            context.load_verify_locations(files.ca)
    except (OSError, ValueError) as error:
        raise TlsFault(f"{option}: {error}") from None
    if files.request_cert:
        required = files.reject_unauthorized
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        if not files.ca:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    return context


def client_context(files: TlsFiles, insecure: bool) -> ssl.SSLContext:
    """For connections to https targets. Raises TlsFault.

    Certificates are checked against the given authority, or the system's, and
    against the host's name, unless ``insecure``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if files.ca:
            context.load_verify_locations(files.ca)
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    except OSError as error:
        raise TlsFault(f"--client-ssl-ca: {error}") from None
    if files:
        _load_pair(context, files, "--client-ssl")
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_pair(context: ssl.SSLContext, files: TlsFiles, option: str) -> None:
    if not files.cert or not files.key:
        missing = "cert" if not files.cert else "key"
        raise TlsFault(
            f"{option}-key and {option}-cert belong together; {option}-{missing} is missing"
        )
    try:
        # a password is always given, so that OpenSSL never asks for one on the terminal
        context.load_cert_chain(files.cert, files.key, password=files.passphrase)
    except (OSError, ValueError) as error:
        raise TlsFault(f"{option}-key, {option}-cert: {error}") from None
