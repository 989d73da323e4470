"""The hub's application object."""

from perijove.config.hub import JupyterHub
