"""Scopes, and the decorator that asks for them."""

from perijove.compat.scopes import (
    expand_scopes,
    has_scope,
    needs_scope,
    parse_scopes,
    scope_definitions,
)
