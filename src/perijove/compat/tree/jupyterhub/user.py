"""Users as plug-ins see them."""

from perijove.compat.people import People as UserDict
from perijove.compat.user import User
