"""Endpoints about people and their servers."""

from perijove.compat.progress import SpawnProgressAPIHandler
