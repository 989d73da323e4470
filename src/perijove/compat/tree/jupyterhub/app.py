"""The hub's application object."""

from tornado.log import app_log

from perijove.compat.app import JupyterHub
from perijove.config.subdomains import idna_host as subdomain_hook_idna
from perijove.config.subdomains import legacy_host as subdomain_hook_legacy
