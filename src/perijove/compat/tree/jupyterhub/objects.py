"""Addresses of the hub and of servers."""

from perijove.plugins.context import PluginHub as Hub
from perijove.plugins.context import PluginServer as Server
