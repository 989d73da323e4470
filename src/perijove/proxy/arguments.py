"""The command line's names, types and help texts: configurable-http-proxy's, then ours."""

import argparse
from pathlib import Path
from typing import NoReturn

from perijove._version import __version__
from perijove.proxy.forwarded import Networks
from perijove.proxy.targets import Target, parse_target

LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: {message}\n")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _milliseconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of milliseconds")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _workers(text: str) -> int:
    if not 1 <= _count(text) <= 64:
        raise argparse.ArgumentTypeError("from 1 to 64")
    return int(text)


def _networks(text: str) -> Networks:
    try:
        return Networks(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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


def make_parser() -> argparse.ArgumentParser:
    """The parser; wrong command lines end the process with one sentence and status 1."""
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
    _add_limits(parser)
    _add_process(parser)
    return parser


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
    group.add_argument("--ssl-sni", nargs=3, action="append", default=[],
        metavar=("NAME", "CERT", "KEY"),
        help="another certificate, for clients that ask for NAME (repeatable)")  # fmt: skip
    group.add_argument("--http2", action="store_true", help="offer HTTP/2 to clients")
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
    add("--trust-forwarded", type=_networks, default=Networks(), metavar="NETWORKS",
        help="proxies in front whose X-Forwarded headers count: addresses, networks, private, "
        "all or none (default: private)")  # fmt: skip
    add("--proxy-protocol", type=_networks, metavar="NETWORKS",
        help="connections from there begin with a PROXY header (v1 or v2)")  # fmt: skip


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("limits")
    for name, default, text in (
        ("timeout", 0, "drop a client's request that is silent for so long (default: never)"),
        ("proxy-timeout", 0, "give a server up that is silent for so long (default: never)"),
        ("keep-alive-timeout", 5000, "close a client's idle connection after (default: 5000)"),
        ("header-timeout", 60_000, "for a request's whole header (default: 60000)"),
        ("drain-timeout", 500, "for what still runs when told to end (default: 500)"),
    ):
        group.add_argument(
            f"--{name}", type=_milliseconds, default=default, metavar="MS", help=text
        )
    for name, text in (
        ("max-connections", "clients' connections (default: half of the files allowed)"),
        ("max-connections-per-address", "of one address (default: any number)"),
        ("max-body-bytes", "size of a request's body (default: any)"),
    ):
        group.add_argument(f"--{name}", type=_count, default=0, metavar="N", help=text)


def _add_process(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("process")
    add = group.add_argument
    add("--workers", type=_workers, default=1, metavar="N", help="processes on the public port")
    add("--snapshot", type=Path, metavar="FILE", help="keep the routes there over a restart")
    add("--access-log", default="", metavar="FILE",
        help="a JSON line for each request; - for the standard output")  # fmt: skip
    add("--pid-file", metavar="FILE", help="write the process id there")
    add("--log-level", type=_level, default="info", help="debug, info, warn or error")
    add("--storage-backend", help=argparse.SUPPRESS)
