"""Tornado handlers for files, as plug-ins import them from ``jupyterhub.handlers.static``."""

from pathlib import Path
from typing import Any

from tornado.web import StaticFileHandler


class CacheControlStaticFilesHandler(StaticFileHandler):
    """Static files; browsers may keep those whose address names a version (``?v=``)."""

    def compute_etag(self) -> str | None:
        """None: the time of the file is enough."""
        return None

    def set_extra_headers(self, path: str) -> None:
        """Ask browsers to look again for what has no version."""
        if "v" not in self.request.arguments:
            self.add_header("Cache-Control", "no-cache")


class LogoHandler(StaticFileHandler):
    """One file, given as ``path``, whatever the address."""

    def initialize(self, path: str) -> None:  # type: ignore[override]
        """Serve the file at ``path``."""
        file = Path(path)
        self._file = file.name
        super().initialize(str(file.parent))

    async def get(self, path: str = "", include_body: bool = True) -> None:
        """The file."""
        await super().get(self._file, include_body=include_body)

    def head(self, path: str = "") -> Any:
        """The headers of the file."""
        return super().head(self._file)
