"""The REST API: a module per resource, each operation declared once.

``operations`` is the declaration (what routes, the access check and the OpenAPI
document are made from); the other modules hold the handlers. A handler parses,
decides, calls one function of the room it is about, and answers with a view.
Start reading in ``operations``, then ``users``.
"""
