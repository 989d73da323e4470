"""The Jupyter server that a hub starts for one user: ``perijove singleuser``.

A Jupyter Server extension that ties a server to its hub: visitors sign in at
the hub (``identity``), only those with access get in, activity is reported
(``activity``), and pages show a way back to the hub (``pages``). ``environment`` reads what the hub
sets, ``extension`` puts all of it on Jupyter Server, ``app`` is the command.

Knows Jupyter Server, tornado and ``hubauth``; knows nothing of the hub's
insides, since it runs in the user's environment. Start reading in ``app``.
"""
