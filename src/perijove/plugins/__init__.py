"""Authenticators, spawners and proxies: the classes that plug-ins inherit.

``authenticator``, ``spawner`` and ``proxy`` hold the base classes with the
traits and methods that existing plug-ins expect; ``local``, ``pam``,
``simple_auth`` and ``chp`` hold the ones that come with the hub. ``context``
makes the ``user``, ``hub`` and ``server`` objects that plug-ins see, and
``adapters`` puts each plug-in behind its port of ``domain.ports``.

Nothing here knows the database, the web or the access rules: what a plug-in
may need of those arrives through ``context.HubContext``. Plug-ins' own
handlers live in ``compat``. Start reading in ``adapters``.
"""
