"""The data plane: the public port, in a process of its own.

Takes a browser's request, finds the longest route that fits its path, and
passes bytes between the browser and that route's server. Routes come in
through a REST API on a second port (``control``), in the format of
configurable-http-proxy, so either can stand in for the other.

It must not know hubs, users or databases: a route is a prefix, a target and
some data that it hands back unread. Of Perijove it imports ``kit`` alone.

Start reading in ``connection`` (a browser's connection), which asks ``head``
what was requested and ``table`` where it goes, and hands over to ``forward``
(the server's connection) or ``tunnel`` (websockets). ``plane`` holds what all
connections share, ``main`` puts the parts together.
"""
