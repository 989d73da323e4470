"""The hub's metrics."""

from perijove.compat.metrics import *
