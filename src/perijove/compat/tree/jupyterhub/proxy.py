"""Proxies."""

from perijove.plugins.chp import ConfigurableHTTPProxy
from perijove.plugins.proxy import Proxy
