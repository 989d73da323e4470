"""Files."""

from perijove.compat.files import CacheControlStaticFilesHandler, LogoHandler
