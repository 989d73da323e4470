"""The version of Perijove, and of the interfaces that it matches."""

__version__ = "0.1.0"

INTERFACE_VERSION = "6.1.1"
"""The JupyterHub release whose REST, OAuth and plug-in interfaces are spoken.

Clients compare it with their own version (header ``X-JupyterHub-Version``).
"""
