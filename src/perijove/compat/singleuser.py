"""What is imported as ``jupyterhub.singleuser`` in the hub's process.

Servers are processes of their own, where these names mean the installed
jupyterhub; in the hub they only have to exist, since modules of plug-ins import
them beside their spawners.
"""

import sys
from collections.abc import Sequence
from typing import Any

from perijove.singleuser.app import main


def make_singleuser_app(app_class: type[Any]) -> type[Any]:
    """A subclass of a Jupyter server's application; launched, it runs a person's server.

    That server is ours (``perijove singleuser``), whatever ``app_class`` is.
    """

    class SingleUserApp(app_class):  # type: ignore[misc]
        """A server that a hub starts."""

        @classmethod
        def launch_instance(cls, argv: Sequence[str] | None = None, **kwargs: Any) -> None:
            """Serve, and end the process."""
            sys.exit(main(argv))

    return SingleUserApp
