"""The guest wing: what plug-ins import as ``jupyterhub``, and their tornado handlers.

``alias`` makes ``import jupyterhub`` mean the package below ``tree`` in the
hub's process. ``bridge`` serves a tornado application inside our ASGI one.
``base``, ``login``, ``api`` and ``pages`` are the handler classes that plug-ins
inherit, over our own people and web rooms, and ``handlers`` puts all handlers
of plug-ins together.

No other room knows this one, except the composition root. Nothing may be
decided here that the hub's own pages and API decide otherwise. Start reading in
``handlers``.
"""
