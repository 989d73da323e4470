"""``perijove check-config``: read a configuration and say what is wrong with it."""

from perijove.compat import alias
from perijove.config.check import check_config


def run(argv: list[str]) -> int:
    """Check; 1 when a hub would not start with it."""
    alias.install()
    return check_config(argv)
