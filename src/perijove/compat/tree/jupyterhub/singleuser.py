"""A person's server."""

from perijove.singleuser.app import main
