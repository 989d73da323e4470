"""The class of all pages."""

from perijove.compat.base import BaseHandler
