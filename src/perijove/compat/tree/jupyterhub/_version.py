"""The version of the interfaces."""

from . import __version__, version_info
