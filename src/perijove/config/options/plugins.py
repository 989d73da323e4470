"""Which classes do the work."""

from traitlets import HasTraits

from perijove.plugins.discover import AUTHENTICATORS, PROXIES, SPAWNERS
from perijove.plugins.traits import EntryPointType


class PluginOptions(HasTraits):
    """The plug-ins. Each is a class, an import path, or a short name."""

    authenticator_class = EntryPointType(
        "perijove.plugins.pam.PAMAuthenticator",
        "perijove.plugins.authenticator.Authenticator",
        entry_point_group=AUTHENTICATORS,
        help="""The class that lets people in.

        A class, the import path of one, or a short name from the list below.
        """,
    ).tag(config=True)

    spawner_class = EntryPointType(
        "perijove.plugins.local.LocalProcessSpawner",
        "perijove.plugins.spawner.Spawner",
        entry_point_group=SPAWNERS,
        help="""The class that starts people's servers.

        A class, the import path of one, or a short name from the list below.
        """,
    ).tag(config=True)

    proxy_class = EntryPointType(
        "perijove.plugins.chp.ConfigurableHTTPProxy",
        "perijove.plugins.proxy.Proxy",
        entry_point_group=PROXIES,
        help="""The class that keeps the proxy's routes.

        A class, the import path of one, or a short name from the list below.
        """,
    ).tag(config=True)
