"""The database as plug-ins see it: mapped classes, and one synchronous session.

Plug-ins read and change people, groups and tokens through ``self.db``, and keep
tables of their own on ``Base``. The classes here are mapped to copies of the
hub's tables, so that nothing a plug-in declares can touch the hub's own schema.

``base`` has the types and ``Base``, ``people``, ``spawners``, ``tokens`` and
``shares`` the classes, ``session`` the session. The hub itself uses none of it.
Start reading in ``base``.
"""
