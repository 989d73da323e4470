"""Who may act, and how others hear of it.

``lease``: a replica's right to act, renewed while it lives. ``bus``: wake-ups
between rooms and replicas. ``duties``: jobs that exactly one replica does.

The rules, before the code. A replica announces itself with a lease of some
seconds and renews it well before its end. The *database's* clock decides when a
lease is over. The replica measures its own trust in the lease with a clock that
never runs backwards, from the moment *before* it asked for the renewal, and
stops acting a margin earlier than the database would let a rival act. A rival
that takes a server over raises the server's epoch; every durable move names the
epoch, so a late writer changes nothing and learns that it lost. Wake-ups may be
lost: there is always a poll behind them. Start reading in ``lease``.
"""
