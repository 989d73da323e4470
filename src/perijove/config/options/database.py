"""The database."""

from traitlets import Bool, Bunch, Dict, HasTraits, Unicode, validate


class DatabaseOptions(HasTraits):
    """Where state is kept."""

    db_url = Unicode(
        "sqlite:///jupyterhub.sqlite",
        help="""The database, as an SQLAlchemy URL: SQLite or PostgreSQL.

        A plain path is taken to be a SQLite file. Use PostgreSQL for more than one
        replica of the hub: `postgresql://user:password@host/name`.
        """,
    ).tag(config=True)

    db_kwargs = Dict(
        help="""Further keyword arguments for SQLAlchemy's `create_engine`.""",
    ).tag(config=True)

    debug_db = Bool(
        False,
        help="""Log every SQL statement. Very long, and shows what people's rows contain.""",
    ).tag(config=True)

    reset_db = Bool(
        False,
        help="""Drop all tables when the hub starts. Everything in them is lost.""",
    ).tag(config=True)

    upgrade_db = Bool(
        False,
        help="""Bring an older database up to date when the hub starts.

        A SQLite file is copied first; make a backup of any other database yourself.
        """,
    ).tag(config=True)

    @validate("db_url")
    def _path_is_sqlite(self, proposal: Bunch) -> str:
        url = str(proposal.value)
        return url if ":" in url else f"sqlite:///{url}"
