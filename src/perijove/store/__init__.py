"""The hub's truth: SQLite or PostgreSQL through SQLAlchemy Core.

``engine`` opens the database and runs work on it, ``tables`` is the schema, and
one module per family of tables holds its statements: plain functions that take
a connection and return domain values. Differences between the databases live
in ``engine`` and ``dialect`` only.

Rooms above call ``Database.read`` and ``Database.write`` with such functions; a
write is one transaction. Nothing here decides who may do what. Start reading in
``tables``, then ``servers``.
"""
