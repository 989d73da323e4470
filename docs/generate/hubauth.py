"""The tables of the client library for services, from its classes and functions."""

import inspect
from collections.abc import Iterable
from typing import Any

from traitlets.config import SingletonConfigurable

from perijove.hubauth import asgi, flask, starlette, wsgi
from perijove.hubauth.configurable import HubAuth
from perijove.hubauth.gate import HubGate
from perijove.hubauth.handlers import (
    HubAuthenticated,
    HubOAuthCallbackHandler,
    HubOAuthenticated,
)
from perijove.hubauth.hub_oauth import HubOAuth
from perijove.hubauth.visits import Visitor


def page() -> str:
    """All tables, a heading for each face."""
    parts = ["## tornado\n"]
    for cls in (HubAuthenticated, HubOAuthenticated, HubOAuthCallbackHandler):
        parts += [f"### `perijove.hubauth.handlers.{cls.__name__}`\n", f"{_said(cls)}\n"]
    parts += _members(HubAuthenticated, ("hub_scopes", "allow_all", "check_hub_user"))
    for module, cls in (("configurable", HubAuth), ("hub_oauth", HubOAuth)):
        parts += [f"### `perijove.hubauth.{module}.{cls.__name__}`\n", f"{_said(cls)}\n"]
        parts += _options(cls)
        parts += _members(cls, _public(cls))
    parts += ["## ASGI and WSGI\n"]
    for cls in (asgi.HubAuthMiddleware, wsgi.HubAuthMiddleware, HubGate, Visitor):
        parts += [f"### `{cls.__module__}.{cls.__name__}`\n", f"```text\n{_call(cls)}\n```\n"]
        parts += [f"{_said(cls, whole=True)}\n"]
    for title, module in (("Starlette and FastAPI", starlette), ("Flask", flask)):
        parts += [f"### {title}: `{module.__name__}`\n"]
        parts += _members(module, _public(module))
    return "\n".join(parts)


def _public(owner: Any) -> list[str]:
    """Own functions and methods, in the order of the source."""
    found = []
    for name, member in vars(owner).items():
        function = member.fget if isinstance(member, property) else member
        own = getattr(function, "__module__", "") == getattr(owner, "__module__", owner.__name__)
        if inspect.isfunction(function) and own and not name.startswith("_"):
            found.append(name)
    return found


def _options(cls: type[SingletonConfigurable]) -> list[str]:
    rows = ["| option | type | default | |", "|---|---|---|---|"]
    for name, trait in sorted(cls.class_own_traits(config=True).items()):
        default = "from the hub" if f"_default_{name}" in vars(cls) else repr(trait.default_value)
        kind = type(trait).__name__
        rows.append(f"| `{name}` | {kind} | {_cell(default)} | {_cell(trait.help)} |")
    return [*rows, ""]


def _members(owner: Any, names: Iterable[str]) -> list[str]:
    rows = ["| name | |", "|---|---|"]
    for name in names:
        member = vars(owner)[name]
        if isinstance(member, property):
            rows.append(f"| `{name}` | {_cell(_said(member.fget))} |")
        else:
            rows.append(f"| `{_cell(_call(member))}` | {_cell(_said(member))} |")
    return [*rows, ""]


def _call(member: Any) -> str:
    """Name and arguments, without types and without ``self``."""
    signature = inspect.signature(member)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    return f"{member.__name__}{inspect.Signature(bare)}"


def _said(member: Any, *, whole: bool = False) -> str:
    """The first paragraph of a docstring, or all of it."""
    text = inspect.cleandoc(member.__doc__ or "").replace("``", "`")
    return text if whole else " ".join(text.split("\n\n")[0].split())


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
