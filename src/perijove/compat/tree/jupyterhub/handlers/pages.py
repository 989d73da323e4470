"""The hub's pages."""

from perijove.compat.pages import (
    AdminHandler,
    HomeHandler,
    RootHandler,
    SpawnHandler,
    SpawnPendingHandler,
    TokenPageHandler,
    default_handlers,
)
