"""The hub's log format."""

from perijove.telemetry.log import LogFormatter as CoroutineLogFormatter
from perijove.telemetry.log import scrub_url as _scrub_uri
