"""Pages that plug-ins inherit, and the list to which they add their own."""

from perijove.compat.base import BaseHandler
from perijove.compat.login import LoginHandler, LogoutHandler
from perijove.compat.pages import default_handlers

from . import base, login, pages
