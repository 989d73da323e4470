"""Scopes, and the decorator that asks for them."""

from perijove.compat.api import needs_scope
from perijove.compat.scopes import *
