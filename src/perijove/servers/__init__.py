"""What the hub is for: the life of people's servers.

``lifecycle`` is the table of states and moves. ``commands`` takes wishes
(start, stop, rename) in one transaction each, ``removal`` those to delete;
``runner`` makes them true, one server at a time, while this replica holds it, by
the ``moves``; ``sweep`` watches what runs; ``adoption`` takes over what a dead
replica left; ``progress`` tells people.

It sees plug-ins only as ports, and knows no web request: what a plug-in needs of
one is passed through, opaque. Start reading in ``lifecycle``, then ``runner``.
"""
