"""The client for requests to the proxy and to servers: the hub's own, or the operator's.

Whoever sets options of aiohttp (``c.JupyterHubHTTPClient``) gets aiohttp, with all
that it can do; without any, nothing but a small client is loaded.
"""

import ssl

from perijove.domain.settings import HttpClientSettings
from perijove.kit.http import Http, HttpClient


def make_http_client(
    settings: HttpClientSettings, tls: ssl.SSLContext | None, *, keep: bool
) -> Http:
    """A client that trusts ``tls`` for https; ``keep``: its connections stay open."""
    if not settings.connector_options and not settings.session_options:
        return HttpClient(tls, keep=keep)
    # Imported here: it takes ten megabytes, and few set options of it.
    from perijove.plugins.http_options import OptionedClient

    return OptionedClient(settings, tls, keep=keep)
