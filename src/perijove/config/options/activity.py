"""Noting who is active."""

from traitlets import HasTraits, Integer


class ActivityOptions(HasTraits):
    """How often activity is written and looked at."""

    activity_resolution = Integer(
        30,
        help="""Seconds between two stored times of activity of one user or token.

        A later time within this span is left out, which saves writing. 0 stores each.
        """,
    ).tag(config=True)

    last_activity_interval = Integer(
        300,
        help="""Seconds between two looks at the activity that the proxy has seen.

        Routes are compared with the database at the same time. 0 turns both off.
        """,
    ).tag(config=True)

    active_user_window = Integer(
        1800,
        help="""Accepted, and without effect: nothing is counted by it.

        The metric `active_users` has periods of its own.
        """,
    ).tag(config=True)
