"""Fixtures."""

from perijove.testing.fixtures import *
