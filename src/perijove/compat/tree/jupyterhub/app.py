"""The hub's application object."""

from perijove.compat.app import JupyterHub
