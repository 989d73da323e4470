"""Stands for the helper module that the zero-to-jupyterhub chart puts beside its configuration.

Only the interface is the chart's: names and meaning of the functions, and where in the
hub's container the chart's values, names and secrets are mounted (here below
``CHART_ROOT``).
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(os.environ["CHART_ROOT"])
_MISSING = object()


@cache
def _values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "secret" / "values.yaml").read_text())
    return found


def get_config(key: str, default: Any = None) -> Any:
    """A value of the chart by its dotted path."""
    value: Any = _values()
    for step in key.split("."):
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    return value


def set_config_if_not_none(section: Any, name: str, key: str) -> None:
    """Set an option from a value of the chart, if there is one."""
    value = get_config(key)
    if value is not None:
        setattr(section, name, value)


def get_secret_value(key: str, default: Any = _MISSING) -> Any:
    """A file of the secret."""
    path = ROOT / "secret" / key
    if path.exists():
        return path.read_text()
    if default is _MISSING:
        raise LookupError(key)
    return default


def get_name(name: str) -> str:
    """The full name of one of the release's resources."""
    return (ROOT / "config" / name).read_text()


def get_name_env(name: str, suffix: str = "") -> str:
    """A variable that Kubernetes sets for a service of that name."""
    return os.environ[(get_name(name) + suffix).upper().replace("-", "_")]
