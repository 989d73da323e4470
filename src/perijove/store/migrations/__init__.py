"""Schema changes, one file each, oldest first.

``versions`` holds the steps; each is written for both databases and never
changed once it was released. ``env`` runs them on the connection that
``store.schema.migrate`` hands over, inside its transaction. A new step needs its
number in ``store.schema.REVISIONS``. Nothing here may import ``store.tables``'
present columns: a step says for itself what it changes. Start reading in
``store.schema``.
"""
