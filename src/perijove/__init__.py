"""Perijove: an API-first hub that starts, manages and proxies Jupyter servers.

Start reading in ``app`` (how the rooms are put together) or, for what the hub
is about, in ``servers``. ``docs/explanation/architecture.md`` has the map.
"""

from perijove._version import INTERFACE_VERSION, __version__

__all__ = ["INTERFACE_VERSION", "__version__"]
