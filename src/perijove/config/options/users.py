"""People, groups, roles and scopes that the configuration brings."""

from traitlets import Dict, HasTraits, List, Set, Unicode


class UserOptions(HasTraits):
    """Who may do what from the start."""

    load_roles = List(
        Dict(),
        help="""Roles to create or change when the hub starts.

        A list of dictionaries with the keys `name`, `description`, `scopes`, `users`,
        `groups` and `services`:

            c.JupyterHub.load_roles = [
                {
                    "name": "teacher",
                    "description": "Sees the servers of the class",
                    "scopes": ["list:users!group=class", "admin:servers!group=class"],
                    "users": ["ada"],
                }
            ]

        Roles that are in the database but not here are removed.
        """,
    ).tag(config=True)

    load_groups = Dict(
        help="""Groups to create when the hub starts, with members and properties.

            c.JupyterHub.load_groups = {
                "class": {"users": ["ada", "bob"], "properties": {"room": 12}},
            }

        Members are added, never removed; properties are replaced. A plain list of
        members is accepted in place of the dictionary.
        """,
    ).tag(config=True)

    custom_scopes = Dict(
        help="""Scopes of your own, for services to grant and check.

        Names begin with `custom:`; the values have `description` and may have
        `subscopes`:

            c.JupyterHub.custom_scopes = {
                "custom:grades:write": {
                    "description": "Write grades",
                    "subscopes": ["custom:grades:read"],
                },
                "custom:grades:read": {"description": "Read grades"},
            }
        """,
    ).tag(config=True)

    extra_user_scopes = Set(
        Unicode(),
        help="""Scopes that everybody gets besides those of the role `user`.

        Not used when `load_roles` defines the scopes of that role.
        """,
    ).tag(config=True)
