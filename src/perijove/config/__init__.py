"""What operators may set, and how it becomes frozen values for the rooms.

``hub.JupyterHub`` is the section name that configuration files use; its options
live in ``options``, grouped by subject. ``load`` reads the command line and the
configuration file and finds typing mistakes, ``settings`` turns the result into
the values of ``domain.settings``, ``generate`` writes a commented file, and
``check`` tells an operator whether a configuration would start.

Nothing here starts anything or touches the database. traitlets ends here: rooms
see frozen dataclasses. Start reading in ``load``.
"""
