"""HTTP: the REST API, the pages, the OAuth endpoints.

A request finds its caller (``caller``), is parsed by its handler (``api``,
``pages``), decided by ``access.decide``, done by a function of the room that it
is about, and answered through ``views`` with the fields that the caller may
read. Errors become status codes in ``problems`` alone.

Handlers hold no SQL and know no plug-in; pages call the functions that the API
calls. Start reading in ``asgi``, then ``caller`` and ``api/users``.
"""
