"""Users as plug-ins see them."""

from perijove.compat.people import People as UserDict
from perijove.plugins.context import PluginUser as User
