"""Who people are: accounts, groups, roles, sign-ins, tokens, shares, activity.

Each module is one class with the collaborators it needs as constructor
arguments; callers are the web room and the composition root. Facts live in the
database; what is held in memory is a cache that hears of changes over the bus
and ends by itself within seconds (``cache``), or a batch on its way into the
database (``activity``).

This room must not know requests, cookies' attributes or plug-in classes: it
sees the authenticator through ``domain.ports`` alone, and it never decides who
may do what beyond the few rules on administrators. Start reading in ``login``,
then ``grants``.
"""
