"""Requests to the REST API; older suites import them from here."""

from .conftest import new_username
from .utils import (
    add_user,
    api_request,
    async_requests,
    auth_header,
    find_user,
    public_host,
    public_url,
)

__test__ = False
