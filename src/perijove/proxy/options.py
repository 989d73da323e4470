"""The command line: configurable-http-proxy's names, read into one frozen value."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from perijove._version import __version__
from perijove.proxy.rewrite import Rules
from perijove.proxy.targets import Target, parse_target
from perijove.proxy.tls import TlsFiles

LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: ``path`` of a Unix socket, or ``ip`` and ``port``."""

    ip: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.path or f"{self.ip or '*'}:{self.port}"


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that the command line and the environment say. Times in seconds."""

    public: Address
    api: Address
    metrics: Address | None = None
    redirect_port: int | None = None
    redirect_to: int = 443
    tls: TlsFiles = field(default_factory=TlsFiles)
    api_tls: TlsFiles = field(default_factory=TlsFiles)
    client_tls: TlsFiles = field(default_factory=TlsFiles)
    insecure: bool = False
    allow_rc4: bool = False
    default_target: str = ""
    error_target: Target | None = None
    error_path: Path | None = None
    rules: Rules = field(default_factory=Rules)
    timeout_s: float = 0.0
    proxy_timeout_s: float = 0.0
    keep_alive_s: float = 5.0
    pid_file: str = ""
    log_level: str = "info"
    token: str = ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message}\n")


def read_options(argv: Sequence[str] | None, environ: Mapping[str, str] = os.environ) -> Options:
    """The options of a command line. Exits with status 1, and one sentence, on a wrong one."""
    parser = _parser()
    args = parser.parse_args(argv)
    for kind in ("", "api_", "metrics_"):
        if getattr(args, f"{kind}socket") and (
            getattr(args, f"{kind}ip") is not None or getattr(args, f"{kind}port") is not None
        ):
            dashed = kind.replace("_", "-")
            parser.error(f"--{dashed}socket excludes --{dashed}ip and --{dashed}port")
    if args.error_target and args.error_path:
        parser.error("--error-target and --error-path exclude each other")
    if args.storage_backend:
        parser.error("--storage-backend names a Node module, which cannot be used here")
    tls = _tls_files(args, "ssl", environ.get("CONFIGPROXY_SSL_KEY_PASSPHRASE", ""))
    public = Address(args.ip or "", 8000 if args.port is None else args.port, args.socket or "")
    if args.redirect_port is not None and not tls:
        parser.error("--redirect-port needs --ssl-key and --ssl-cert")
    return Options(
        public=public,
        api=_api_address(args, public),
        metrics=_metrics_address(args),
        redirect_port=args.redirect_port,
        redirect_to=args.redirect_to or public.port or 443,
        tls=tls,
        api_tls=_tls_files(args, "api_ssl", environ.get("CONFIGPROXY_API_SSL_KEY_PASSPHRASE", "")),
        client_tls=_tls_files(args, "client_ssl", ""),
        insecure=args.insecure,
        allow_rc4=args.ssl_allow_rc4,
        default_target=args.default_target or "",
        error_target=args.error_target,
        error_path=args.error_path,
        rules=_rules(args),
        timeout_s=args.timeout / 1000,
        proxy_timeout_s=args.proxy_timeout / 1000,
        keep_alive_s=args.keep_alive_timeout / 1000,
        pid_file=args.pid_file or "",
        log_level=args.log_level.lower(),
        token=environ.get("CONFIGPROXY_AUTH_TOKEN", ""),
    )


def _api_address(args: argparse.Namespace, public: Address) -> Address:
    if args.api_socket:
        return Address(path=args.api_socket)
    usual = 8001 if public.path else public.port + 1
    return Address(args.api_ip or "localhost", usual if args.api_port is None else args.api_port)


def _metrics_address(args: argparse.Namespace) -> Address | None:
    if args.metrics_socket:
        return Address(path=args.metrics_socket)
    if args.metrics_port is None:
        return None
    return Address(args.metrics_ip or "", args.metrics_port)


def _tls_files(args: argparse.Namespace, start: str, passphrase: str) -> TlsFiles:
    def option(name: str) -> str:
        return getattr(args, f"{start}_{name}", None) or ""

    return TlsFiles(
        key=option("key"),
        cert=option("cert"),
        ca=option("ca"),
        request_cert=bool(option("request_cert")),
        reject_unauthorized=bool(option("reject_unauthorized")),
        protocol=option("protocol"),
        ciphers=option("ciphers"),
        dhparam=option("dhparam"),
        passphrase=passphrase,
    )


def _rules(args: argparse.Namespace) -> Rules:
    return Rules(
        x_forward=not args.no_x_forward,
        prepend_path=not args.no_prepend_path,
        include_prefix=not args.no_include_prefix,
        change_origin=args.change_origin,
        auto_rewrite=args.auto_rewrite,
        protocol_rewrite=args.protocol_rewrite or "",
        custom_headers=tuple(args.custom_header),
        by_host=args.host_routing,
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _milliseconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of milliseconds")
    return int(text)


def _target(text: str) -> Target:
    try:
        return parse_target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _target_url(text: str) -> str:
    return _target(text).url


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    usable = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    if not colon or not usable or not value.isprintable() or not value.isascii():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:VALUE")
    return name.encode(), value.encode()


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(LEVELS)}")
    return text


def _scheme(text: str) -> str:
    if text not in ("http", "https"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither http nor https")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="perijove proxy",
        description="Passes requests on a public port to servers, by the longest matching route.",
        epilog="The API's secret comes from the environment: CONFIGPROXY_AUTH_TOKEN.",
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=__version__)
    _add_addresses(parser)
    _add_tls(parser)
    _add_routing(parser)
    add = parser.add_argument
    add(
        "--timeout",
        type=_milliseconds,
        default=0,
        metavar="MS",
        help="drop a client's request that is silent for so long (default: never)",
    )
    add(
        "--proxy-timeout",
        type=_milliseconds,
        default=0,
        metavar="MS",
        help="give a server up that is silent for so long (default: never)",
    )
    add(
        "--keep-alive-timeout",
        type=_milliseconds,
        default=5000,
        metavar="MS",
        help="close a client's idle connection after so long (default: 5000)",
    )
    add("--pid-file", metavar="FILE", help="write the process id there")
    add("--log-level", type=_level, default="info", help="debug, info, warn or error")
    add("--storage-backend", help=argparse.SUPPRESS)
    return parser  # fmt: skip


def _add_addresses(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("addresses")
    for start, what in (("", "the public side"), ("api-", "the API"), ("metrics-", "metrics")):
        group.add_argument(f"--{start}ip", help=f"address of {what}")
        group.add_argument(f"--{start}port", type=_port, help=f"port of {what}")
        group.add_argument(f"--{start}socket", metavar="PATH", help=f"Unix socket of {what}")
    group.add_argument(
        "--redirect-port", type=_port, help="answer http there with the https address"
    )
    group.add_argument("--redirect-to", type=_port, help="port in that address (default: --port)")


def _add_tls(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("TLS")
    for start, what in (("", "the public side"), ("api-", "the API"), ("client-", "servers")):
        group.add_argument(f"--{start}ssl-key", metavar="FILE", help=f"private key for {what}")
        group.add_argument(f"--{start}ssl-cert", metavar="FILE", help=f"certificate for {what}")
        group.add_argument(
            f"--{start}ssl-ca", metavar="FILE", help=f"authority to trust for {what}"
        )
        for name in ("request-cert", "reject-unauthorized"):
            group.add_argument(f"--{start}ssl-{name}", action="store_true")
    group.add_argument("--ssl-protocol", metavar="NAME", help="TLSv1_2 or TLSv1_3 only")
    group.add_argument("--ssl-ciphers", metavar="LIST", help="cipher list in OpenSSL's format")
    group.add_argument("--ssl-allow-rc4", action="store_true", help=argparse.SUPPRESS)
    group.add_argument("--ssl-dhparam", metavar="FILE", help="Diffie-Hellman parameters")
    group.add_argument("--insecure", action="store_true", help="do not check servers' certificates")


def _add_routing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("routing")
    add = group.add_argument
    add("--default-target", type=_target_url, metavar="URL", help="where unrouted requests go")
    add("--error-target", type=_target, metavar="URL", help="server of error pages (URL/CODE)")
    add("--error-path", type=Path, metavar="DIR", help="directory with CODE.html and error.html")
    add("--host-routing", action="store_true", help="routes begin with a host: /HOST/PATH")
    add("--no-x-forward", action="store_true", help="add no X-Forwarded headers")
    add("--no-prepend-path", action="store_true", help="leave the target's path out")
    add("--no-include-prefix", action="store_true", help="cut the route's prefix off the path")
    add("--auto-rewrite", action="store_true", help="point redirects at the proxy's host")
    add("--protocol-rewrite", type=_scheme, metavar="SCHEME", help="scheme for redirects")
    add("--change-origin", action="store_true", help="send the target's address as Host")
    add("--custom-header", type=_header, action="append", default=[], metavar="NAME:VALUE",
        help="add a header to every request (repeatable)")  # fmt: skip
