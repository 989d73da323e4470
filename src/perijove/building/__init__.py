"""Putting the rooms together: who gets which collaborator.

``hub.build`` is the whole; ``ground`` opens what everything stands on, and
``plugins``, ``people``, ``servers`` and ``web`` connect one floor each. Nothing
here decides anything. ``app`` starts and stops what is built.
Start reading in ``hub``.
"""
