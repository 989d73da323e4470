"""A person's server."""

from perijove.singleuser.app import main

from .mixins import make_singleuser_app
