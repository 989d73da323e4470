"""Tells an operator whether a configuration would start, without starting it.

Loads the configuration the way the hub does, builds the settings, makes the
authenticator and the proxy object (their own checks run when they are made), and
looks whether files that options name are there. Nothing is written, nothing
listens, and the database is not touched.
"""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from perijove.config.hub import JupyterHub
from perijove.config.load import LoadedConfig, load_hub
from perijove.config.network import check_extra_routes, proxy_options
from perijove.config.settings import build_settings
from perijove.domain.errors import ConfigError
from perijove.domain.settings import Settings
from perijove.plugins.context import DeferredSession
from perijove.telemetry.log import HUB_LOGGERS, escape_controls, scrub_text

_FILES = ("ssl_key", "ssl_cert")


def check_config(
    argv: Sequence[str],
    hub_class: type[JupyterHub] = JupyterHub,
    console: Console | None = None,
    open_session: Callable[[], Any] | None = None,
) -> int:
    """Print what is wrong with the configuration; 1 when the hub would not start, else 0.

    ``open_session`` makes the database session of an authenticator that asks for one.
    """
    out = console or Console(highlight=False, soft_wrap=True)
    warnings = _Collector()
    with warnings:
        try:
            loaded = load_hub(argv, hub_class, start_log=False)
            warnings.lines.extend(loaded.warnings)
            settings = build_settings(loaded.hub, read_only=True)
            warnings.lines.extend(settings.warnings)
            warnings.lines.extend(_missing_files_of_pages(loaded.hub))
            problems = [
                *_missing_files(loaded.hub),
                *_broken_plugins(loaded.hub, settings, DeferredSession(open_session)),
            ]
        except ConfigError as error:
            _print_all(out, warnings.lines, [error.message])
            return 1
    _print_all(out, warnings.lines, problems)
    if problems:
        return 1
    _print_summary(out, loaded, settings)
    return 0


class _Collector(logging.Handler):
    """Keeps what is logged as a warning while it is in use, instead of printing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._propagated: dict[str, bool] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(scrub_text(record.getMessage()))

    def __enter__(self) -> "_Collector":
        for name in HUB_LOGGERS:
            logger = logging.getLogger(name)
            self._propagated[name] = logger.propagate
            logger.propagate = False
            logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        for name in HUB_LOGGERS:
            logger = logging.getLogger(name)
            logger.propagate = self._propagated[name]
            logger.removeHandler(self)


def _missing_files(hub: JupyterHub) -> list[str]:
    problems = []
    for option in _FILES:
        path = getattr(hub, option)
        if path and not os.access(path, os.R_OK):
            problems.append(f"c.JupyterHub.{option}: {path} cannot be read")
    return problems


def _missing_files_of_pages(hub: JupyterHub) -> list[str]:
    """The hub starts without them, and shows its own instead."""
    warnings = []
    if hub.logo_file and not os.access(hub.logo_file, os.R_OK):
        warnings.append(f"c.JupyterHub.logo_file: {hub.logo_file} cannot be read")
    given = hub.config.get("JupyterHub", {})
    option = "template_paths" if "template_paths" in given else "data_files_path"
    for path in hub.template_paths:
        if not os.path.isdir(path):
            warnings.append(f"c.JupyterHub.{option}: {path} is no directory")
    return warnings


def _broken_plugins(hub: JupyterHub, settings: Settings, db: DeferredSession) -> list[str]:
    network = settings.network
    problems = []
    made_with: dict[type, dict[str, Any]] = {
        hub.authenticator_class: {"_deprecated_db_session": db},
        hub.proxy_class: {**proxy_options(network), "app": hub},
    }
    for cls, options in made_with.items():
        try:
            made = cls(parent=hub, **options)
            if cls is hub.proxy_class:
                check_extra_routes(network, made.extra_routes)
        except Exception as error:
            problems.append(f"{cls.__name__} refuses the configuration: {error}")
    return problems


def _print_all(out: Console, warnings: Sequence[str], problems: Sequence[str]) -> None:
    for line in dict.fromkeys(warnings):
        out.print(f"[yellow]warning[/] {escape(escape_controls(line))}")
    for line in problems:
        out.print(f"[red]error[/]   {escape(scrub_text(line))}")


def _print_summary(out: Console, loaded: LoadedConfig, settings: Settings) -> None:
    hub = loaded.hub
    rows = {
        "configuration": loaded.file or "none (defaults only)",
        "public address": settings.network.bind_url,
        "hub address": settings.network.hub_bind_url,
        "database": scrub_text(settings.database.url),
        "authenticator": _class_path(hub.authenticator_class),
        "spawner": _class_path(hub.spawner_class),
        "proxy": _class_path(hub.proxy_class),
        "services": ", ".join(s.name for s in settings.services.services) or "none",
    }
    for label, value in rows.items():
        out.print(f"{label:<15} {escape(value)}")
    out.print("[green]OK[/]: the hub would start with this configuration")


def _class_path(cls: type) -> str:
    # A configuration file has no name as a module.
    if cls.__module__ == "builtins":
        return f"{cls.__qualname__} (of the configuration file)"
    return f"{cls.__module__}.{cls.__qualname__}"
