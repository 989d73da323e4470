"""What the proxy should route, and making it so.

``addresses`` knows the public paths and hosts of users and services; ``publish``
adds and removes one server's route; ``desired`` works out the whole wanted
table from the database; ``reconcile`` compares it with what the proxy has and
mends the difference; ``probe`` asks whether what a route leads to answers.

The proxy is seen as a port. Nothing here decides whether a server runs. Start
reading in ``reconcile``.
"""
