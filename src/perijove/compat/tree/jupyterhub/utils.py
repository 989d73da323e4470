"""Helpers."""

from perijove.compat.utils import *
