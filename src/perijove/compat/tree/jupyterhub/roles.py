"""Roles."""

from perijove.compat.roles import *
