"""Signing in and out."""

from perijove.compat.login import LoginHandler, LogoutHandler
