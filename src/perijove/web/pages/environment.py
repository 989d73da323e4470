"""The Jinja environments of the pages, and the versions of the static files.

Operators and plug-ins reach into both: ``template_paths`` puts their templates in
front of ours, ``templates/NAME.html`` always is ours, and some authenticators put
a loader of their own into the environment while the hub runs. So the loader may be
exchanged at any moment, and the environment for errors follows that exchange.

Pages are rendered asynchronously. Error pages are rendered synchronously, because
they must come out wherever the fault was.

What each template reads
========================

Everywhere: ``base_url`` (the hub's prefix, ``/hub/``), ``prefix`` (the installation's
base URL), ``user`` (None when signed out; ``name``, ``escaped_name``, ``admin``,
``server_url(name)``, ``spawner``), ``login_url``, ``login_service``, ``logout_url``,
``services`` (each ``name``, ``href``), ``parsed_scopes`` (mapping, may be empty),
``xsrf`` and ``xsrf_token`` (one and the same text), ``version_hash``, ``announcement``
(HTML), ``logo_url``, ``no_spawner_check``, ``admin_access``, and every entry of
``template_vars``, and ``api_only`` (there are no other pages). ``static_url`` is a
global of the environment. ``api_docs_url`` (optional) is the address of ``api.html``;
without it ``{base_url}api-docs``.
``announcement_login``, ``announcement_spawn``, ``announcement_home`` and
``announcement_logout`` replace ``announcement`` on their page when they are strings.

``login.html``
    ``next``, ``username``, ``login_error`` (text), ``authenticator_login_url`` (with
    ``next``), ``authenticator`` (``request_otp``, ``otp_prompt``), ``custom_html``
    (HTML, already rendered), ``login_term_url``.
``home.html``
    ``url`` (where the main button leads), ``default_server``, ``spawners`` (rows, the
    default one is skipped); each of those with ``name``, ``display_name``, ``ready``,
    ``pending`` (spawn, stop, check, rename or None), ``last_activity``;
    ``allow_named_servers``, ``named_server_limit_per_user`` (0 = no limit),
    ``invalid_server_names`` (names that may be stopped and deleted, not started),
    ``url_path_join``, ``auth_state``.
``spawn.html``
    ``for_user``, ``spawner`` (``name``, ``display_name``), ``spawner_options_form``
    (HTML), ``url`` (form action, carries ``_xsrf``), ``error_message`` (text),
    ``html_error_message`` or ``error_html_message`` (HTML), ``auth_state``.
``spawn_pending.html``, ``stop_pending.html``
    ``spawner`` (``name``, ``display_name``), ``progress_url`` (carries ``_xsrf``; the
    scripts derive the server's API address from it), ``auth_state``.
``not_running.html``
    ``server_name``, ``spawn_url``, ``implicit_spawn_seconds``, ``failed``,
    ``failed_message`` (text), ``failed_html_message`` (HTML), ``exception``,
    ``auth_state``.
``token.html``
    ``api_tokens`` (each ``api_id``, ``note``, ``scopes``, ``created``,
    ``last_activity``, ``expires_at``), ``oauth_clients`` (each ``client``,
    ``description``, ``created``, ``last_activity``, ``tokens``, ``token_id``,
    ``token_count``), ``token_expires_in_options_html`` (``<option>`` elements),
    ``token_expires_in_max_seconds``, ``auth_state``.
``admin.html``
    ``current_user``, ``admin_access``, ``allow_named_servers``,
    ``named_server_limit_per_user``, ``server_version``, ``api_page_limit``,
    ``auth_state``.
``oauth.html``
    ``oauth_client`` (``description``, ``redirect_uri``, ``identifier``),
    ``allowed_scopes``, ``scope_descriptions`` (each ``scope``, ``description``,
    ``filter``), ``auth_state``.
``accept-share.html``
    ``code``, ``owner`` (``name``), ``spawner`` (``name``, ``display_name``),
    ``spawner_ready``, ``spawner_url``, ``scope_descriptions``, ``next_url``.
``error.html``, ``404.html`` and any ``CODE.html``
    ``status_code``, ``status_message``, ``message`` (text), ``message_html``,
    ``extra_error_html`` (HTML), ``exception``.
``confirm.html`` (ours: asks for the click that a request from another site lacks)
    ``confirm_heading``, ``confirm_message``, ``confirm_url``, ``confirm_label``.
``api.html`` (ours)
    ``openapi_url`` (default ``{base_url}api/openapi.json``).
``logout.html``
    nothing more.

Variables that end in ``_html`` or ``html_message``, ``announcement`` and
``spawner_options_form`` are inserted as they are; their makers answer for them. All
the rest is escaped. Times may be aware or naive (then they are read as UTC).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from markupsafe import Markup

WEB = Path(__file__).resolve().parent.parent
TEMPLATES = WEB / "templates"
"""Our own templates."""
STATIC = WEB / "static"
"""Our own scripts, styles and images."""

VERSION_LENGTH = 16
"""Hex digits of a file's digest in ``?v=``."""


class StaticFiles:
    """Finds static files and gives them addresses that change with their contents.

    ``folders`` are searched in order, so an operator's folder may replace single
    files of ours. Digests are kept until size or modification time change.
    """

    def __init__(self, url_prefix: str, folders: Sequence[str | Path] = (STATIC,)) -> None:
        self._prefix = url_prefix if url_prefix.endswith("/") else url_prefix + "/"
        self._folders = [Path(folder).resolve() for folder in folders]
        self._known: dict[Path, tuple[tuple[int, int], str]] = {}
        self._version_of_all = ""

    def locate(self, path: str) -> Path | None:
        """The file behind a relative path, or None; never one outside the folders."""
        if "\0" in path:
            return None
        for folder in self._folders:
            candidate = (folder / path.lstrip("/")).resolve()
            if candidate.is_relative_to(folder) and candidate.is_file():
                return candidate
        return None

    def version(self, path: str) -> str:
        """A digest of the file's contents; empty when there is no such file."""
        file = self.locate(path)
        if file is None:
            return ""
        status = file.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._known.get(file)
        if known is None or known[0] != stamp:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()[:VERSION_LENGTH]
            known = self._known[file] = (stamp, digest)
        return known[1]

    def url(self, path: str, include_version: bool = True) -> str:
        """The address of a static file, with ``?v=DIGEST`` where one can be told."""
        address = self._prefix + quote(path.lstrip("/"))
        version = self.version(path) if include_version else ""
        return f"{address}?v={version}" if version else address

    def version_of_all(self) -> str:
        """One digest over all files, as they were at first use: ``version_hash``."""
        if not self._version_of_all:
            total = hashlib.sha256()
            for folder in self._folders:
                for file in sorted(folder.rglob("*")):
                    if file.is_file():
                        name = file.relative_to(folder).as_posix()
                        total.update(f"{name}={self.version(name)}\n".encode())
            self._version_of_all = total.hexdigest()[:VERSION_LENGTH]
        return self._version_of_all


def as_iso(moment: datetime | str | None) -> str:
    """A time as UTC ISO 8601 with ``Z``; empty for None and for an undefined variable."""
    if not moment:
        return ""
    if isinstance(moment, str):
        return moment
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat(timespec="seconds").replace("+00:00", "Z")


def as_time_element(moment: datetime | str | None, otherwise: str = "never") -> Markup:
    """A ``<time>`` element that reads well without scripts; ``otherwise`` for None."""
    iso = as_iso(moment)
    if not iso:
        return Markup.escape(otherwise)
    readable = iso.replace("T", " ")[:16] + " UTC"
    return Markup('<time datetime="{}">{}</time>').format(iso, readable)


def template_loader(template_paths: Sequence[str | Path]) -> BaseLoader:
    """The operator's folders, then ours; ``templates/NAME`` is ours alone."""
    builtin = FileSystemLoader(TEMPLATES)
    return ChoiceLoader(
        [
            FileSystemLoader([str(path) for path in template_paths]),
            builtin,
            PrefixLoader({"templates": builtin}),
        ]
    )


def build_environment(
    template_paths: Sequence[str | Path],
    *,
    options: Mapping[str, Any] | None = None,
    static: StaticFiles | None = None,
) -> Environment:
    """The environment of the pages: escaping and asynchronous.

    ``options`` are extra keyword arguments of ``jinja2.Environment`` and win over
    ours. ``static`` becomes the global ``static_url``.
    """
    settings: dict[str, Any] = {
        "autoescape": True,
        "enable_async": True,
        "loader": template_loader(template_paths),
    }
    return _furnish(Environment(**{**settings, **(options or {})}), static)


class _FollowingEnvironment(Environment):
    """An environment whose loader is, at any moment, that of another one."""

    def __init__(self, leader: Environment, **options: Any) -> None:
        self._leader = leader
        super().__init__(**options)

    @property
    def loader(self) -> BaseLoader | None:
        return self._leader.loader

    @loader.setter
    def loader(self, value: BaseLoader | None) -> None:
        if value is not None:
            self._leader.loader = value


def build_error_environment(
    leader: Environment,
    *,
    options: Mapping[str, Any] | None = None,
    static: StaticFiles | None = None,
) -> Environment:
    """The synchronous twin of ``leader``, for error pages; same ``options``, same loader.

    A loader that is put into ``leader`` later is used here too.
    """
    settings: dict[str, Any] = {"autoescape": True, **(options or {}), "enable_async": False}
    settings.pop("loader", None)
    return _furnish(_FollowingEnvironment(leader, **settings), static)


def _furnish(environment: Environment, static: StaticFiles | None) -> Environment:
    if static is not None:
        environment.globals["static_url"] = static.url
    environment.filters["iso"] = as_iso
    environment.filters["time_element"] = as_time_element
    return environment
