"""What pages of this server know of the hub: data for JupyterLab, a link for plain pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader

from perijove.singleuser.environment import ServerEnvironment

TEMPLATES = Path(__file__).parent / "templates"
STOCK = "stock"
"""Prefix under which a page of ours finds the template that it extends."""


def hub_page_config(env: ServerEnvironment, visitor: str, token: str) -> dict[str, Any]:
    """The keys that JupyterLab's hub extension reads (File menu: control panel, log out)."""
    return {
        "hubUser": visitor,
        "hubServerUser": env.user,
        "hubServerName": env.server_name,
        "hubPrefix": env.auth.hub_prefix,
        "hubHost": env.auth.hub_host,
        "shareUrl": env.share_url,
        "token": token,
    }


def page_config_hook(
    env: ServerEnvironment, token_of: Callable[[Any], str], *, sockets_need_token: bool
) -> Callable[[Any, dict[str, Any]], dict[str, Any]]:
    """A hook for ``page_config_hook`` of the web application's settings.

    ``sockets_need_token``: JupyterLab is told to put the visitor's token into the
    addresses of its WebSockets, which can carry it nowhere else.
    """

    def hook(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        user = handler.current_user
        visitor = user.username if user else ""
        # A copy: the given one is shared by all visitors, and a token is not.
        ours = hub_page_config(env, visitor, token_of(handler) if user else "")
        return page_config | ours | ({"appendToken": "true"} if sockets_need_token else {})

    return hook


def add_hub_link(jinja_env: Environment, control_panel_url: str) -> None:
    """Show a link to the hub on every page that builds on ``page.html``.

    Those are Jupyter Server's own pages (errors among them) and the classic
    notebook's.
    """
    stock = jinja_env.loader
    if stock is None or "page.html" not in jinja_env.list_templates():
        return
    ours = FileSystemLoader(TEMPLATES)
    jinja_env.loader = ChoiceLoader([ours, PrefixLoader({STOCK: stock}), stock])
    jinja_env.globals["hub_control_panel_url"] = control_panel_url
    if jinja_env.cache is not None:
        jinja_env.cache.clear()
