"""Endpoints that plug-ins inherit, and the list to which they add their own."""

from perijove.compat.api import APIHandler, default_handlers

from . import base
