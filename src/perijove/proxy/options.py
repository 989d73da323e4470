"""The command line: configurable-http-proxy's names, read into one frozen value."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from perijove.proxy.arguments import make_parser
from perijove.proxy.forwarded import Networks
from perijove.proxy.limits import Limits
from perijove.proxy.rewrite import Rules
from perijove.proxy.targets import Target
from perijove.proxy.tls import SniFiles, TlsFiles


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
    limits: Limits = field(default_factory=Limits)
    workers: int = 1
    http2: bool = False
    proxy_protocol: Networks | None = None
    snapshot: Path | None = None
    access_log: str = ""


def read_options(argv: Sequence[str] | None, environ: Mapping[str, str] = os.environ) -> Options:
    """The options of a command line. Exits with status 1, and one sentence, on a wrong one."""
    parser = make_parser()
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
    for needs_tls, option in ((args.ssl_sni, "--ssl-sni"), (args.http2, "--http2")):
        if needs_tls and not tls:
            parser.error(f"{option} needs --ssl-key and --ssl-cert")
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
        limits=_limits(args),
        workers=args.workers,
        http2=args.http2,
        proxy_protocol=args.proxy_protocol,
        snapshot=args.snapshot,
        access_log=args.access_log,
    )


def _limits(args: argparse.Namespace) -> Limits:
    """The limits of one worker, of which each gets its share of the connections."""
    return replace(
        Limits(),
        head_s=args.header_timeout / 1000,
        drain_s=args.drain_timeout / 1000,
        body_bytes=args.max_body_bytes,
        connections=ceil(args.max_connections / args.workers) or None,
        connections_per_address=ceil(args.max_connections_per_address / args.workers),
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
        sni=tuple(SniFiles(*files) for files in getattr(args, f"{start}_sni", ())),
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
        trusted=args.trust_forwarded,
    )
