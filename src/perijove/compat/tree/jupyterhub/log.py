"""The hub's log format."""

from perijove.telemetry.log import LogFormatter as CoroutineLogFormatter
