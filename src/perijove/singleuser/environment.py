"""What the hub tells the server it starts, checked before anything heavy is imported."""

import site
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from perijove.hubauth.settings import BadEnvironment, HubAuthSettings, read_flag
from perijove.kit import urls

REQUIRED = ("JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_SERVICE_URL")

_FRONTENDS = {"lab": "lab", "jupyterlab": "lab", "notebook": "notebook", "nbclassic": "nbclassic"}
"""First word of JUPYTERHUB_SINGLEUSER_APP -> the extension whose page opens first."""


@dataclass(frozen=True, slots=True)
class ServerEnvironment:
    """One server's orders."""

    auth: HubAuthSettings
    user: str
    server_name: str
    ip: str
    port: int
    activity_url: str
    activity_interval_s: int
    default_url: str
    root_dir: str
    frontend: str
    debug: bool
    disable_user_config: bool
    load_other_extensions: bool

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "ServerEnvironment":
        """Read all variables. Raises BadEnvironment for a missing or unreadable one."""
        for name in REQUIRED:
            if not env.get(name):
                raise BadEnvironment(
                    f"{name} env is required to run perijove singleuser."
                    " This command is started by a hub, which sets it;"
                    " to use Jupyter without a hub, run jupyter lab."
                )
        ip, port = _listen_address(env["JUPYTERHUB_SERVICE_URL"])
        return cls(
            auth=HubAuthSettings.from_environment(env),
            user=env.get("JUPYTERHUB_USER", ""),
            server_name=env.get("JUPYTERHUB_SERVER_NAME", ""),
            ip=ip,
            port=port,
            activity_url=env.get("JUPYTERHUB_ACTIVITY_URL", ""),
            activity_interval_s=_whole_seconds(env, "JUPYTERHUB_ACTIVITY_INTERVAL", 300),
            default_url=env.get("JUPYTERHUB_DEFAULT_URL", ""),
            root_dir=str(Path(root).expanduser()) if (root := _root_dir(env)) else "",
            frontend=_frontend(env.get("JUPYTERHUB_SINGLEUSER_APP", "")),
            debug=read_flag(env, "JUPYTERHUB_DEBUG"),
            disable_user_config=read_flag(env, "JUPYTERHUB_DISABLE_USER_CONFIG"),
            load_other_extensions=read_flag(
                env, "JUPYTERHUB_SINGLEUSER_LOAD_OTHER_EXTENSIONS", default=True
            ),
        )

    @property
    def control_panel_url(self) -> str:
        """The hub's home page, where the server can be stopped."""
        return f"{self.auth.hub_host}{self.auth.hub_prefix}home"

    @property
    def share_url(self) -> str:
        """Links below it open on whoever follows them: each on their own server."""
        return urls.join(self.auth.hub_prefix, "user-redirect")


def _root_dir(env: Mapping[str, str]) -> str:
    return env.get("JUPYTERHUB_ROOT_DIR", "").strip()


def _listen_address(service_url: str) -> tuple[str, int]:
    """Host (empty: all interfaces) and port of ``JUPYTERHUB_SERVICE_URL``."""
    try:
        parts = urlsplit(service_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"}:
        raise BadEnvironment(
            f"JUPYTERHUB_SERVICE_URL should be http[s]://HOST:PORT/PREFIX, found {service_url!r}."
        )
    return parts.hostname or "", port or (443 if parts.scheme == "https" else 80)


def _whole_seconds(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        seconds = int(float(text))
    except (ValueError, OverflowError):
        seconds = -1
    if seconds < 0:
        raise BadEnvironment(f"{name} should be a number of seconds, 0 or more, found {text!r}.")
    return seconds


def _frontend(app: str) -> str:
    """The extension for a value such as ``notebook`` or ``jupyterlab.labapp.LabApp``."""
    return _FRONTENDS.get(app.strip().partition(".")[0].lower(), "")


def is_below_home(path: str, home: str | None = None) -> bool:
    """Whether users may plant files at ``path``: it is in their home, not in the environment."""
    place = Path(path).resolve()
    if place.is_relative_to(Path(sys.prefix).resolve()):
        return False
    return place.is_relative_to((Path(home) if home else Path.home()).resolve())


def hide_user_packages() -> None:
    """Keep modules of the home directory from being imported (disable_user_config).

    Kernels are other processes and still see the user's packages.
    """
    site.ENABLE_USER_SITE = False
    own = {str(Path(entry).resolve()) for entry in (site.getusersitepackages(), "")}
    sys.path[:] = [entry for entry in sys.path if str(Path(entry).resolve()) not in own]
