"""What the hub is for: the life of people's servers.

``lifecycle`` is the table of states and moves. ``commands`` takes wishes
(start, stop, rename, remove) in one transaction each; ``runner`` makes them
true, one server at a time, while this replica holds it; ``sweep`` watches what
runs and takes over what a dead replica left; ``progress`` tells people.

It sees plug-ins only as ports, and knows no web request: what a plug-in needs of
one is passed through, opaque. Start reading in ``lifecycle``, then ``runner``.
"""
