"""Care for the database."""

from perijove.compat.dbutil import *
