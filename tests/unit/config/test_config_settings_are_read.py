"""An option that arrives in a setting and goes no further would do nothing: there is none."""

import ast
import dataclasses
from pathlib import Path

import perijove
from perijove.config.hub import JupyterHub
from perijove.config.ineffective import INEFFECTIVE
from perijove.domain import settings

SOURCE = Path(perijove.__file__).parent
WRITERS = (SOURCE / "config", SOURCE / "domain" / "settings.py")


def attributes_read() -> set[str]:
    """Names of attributes that the rooms read, those that make the settings left out."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if any(path.is_relative_to(writer) for writer in WRITERS):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
    return found


def test_every_setting_is_read_by_a_room() -> None:
    read = attributes_read()
    unread = [
        f"{name}.{field.name}"
        for name, kind in vars(settings).items()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
        # The log is set up before there are settings as a whole.
        if kind is not settings.LogSettings
        for field in dataclasses.fields(kind)
        if field.name not in read
    ]
    assert unread == []


def test_what_is_said_to_have_no_effect_exists() -> None:
    assert INEFFECTIVE.keys() <= set(JupyterHub.class_trait_names(config=True))
