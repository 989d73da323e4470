"""Helpers."""

from perijove.compat.utils import *
from perijove.config.subdomains import idna_host as subdomain_hook_idna
from perijove.config.subdomains import legacy_host as subdomain_hook_legacy
from perijove.kit.urls import bracket_ipv6 as fmt_ip_url
