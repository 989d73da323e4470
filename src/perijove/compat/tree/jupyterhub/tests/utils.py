"""Requests to the hub of a test."""

from perijove.testing.calls import (
    AsyncSession,
    add_user,
    api_request,
    async_requests,
    auth_header,
    find_user,
    get_page,
    public_host,
    public_url,
)
