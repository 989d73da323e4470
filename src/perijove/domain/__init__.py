"""The hub's nouns as plain values: what every room may talk about.

Frozen dataclasses for users, servers, tokens, groups, shares and routes, the
events they cause, the tree of errors, the settings each room receives, and
the ports through which rooms see plug-ins.

No framework, no database, no plug-in is known here. Start reading in
``servers`` (the states of a server) and ``ports`` (what a plug-in can do).
"""
