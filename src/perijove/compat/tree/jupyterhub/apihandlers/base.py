"""The class of all endpoints."""

from perijove.compat.api import APIHandler
from perijove.web.api.paging import PAGINATED as PAGINATION_MEDIA_TYPE
