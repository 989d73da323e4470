"""The test kit for plug-ins: a whole hub in the test's own process, on ports of its own.

Suites that import ``jupyterhub.tests`` get it under those names once the alias is
in place (``pytest -p perijove_alias``); new ones name it as a pytest plug-in:
``pytest_plugins = ["perijove.testing.fixtures"]``. ``hub`` has the hub, ``spawners``
and ``authenticators`` what it runs with, ``requests`` talks to it, ``fixtures`` is
for pytest, and ``echo_server`` is what the spawners start.

Needs pytest and requests, which the hub itself does without. Nothing here is used by
a hub in production. Start reading in ``hub``.
"""
