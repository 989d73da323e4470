"""What travels: the models of requests and answers, and the client that sends them.

``models`` declares them once; requests are validated against them, and the
OpenAPI document is made from them. ``calls`` describes a request for each
operation, and ``client`` sends them. Nothing here knows the database, the web
server or who may read which field. Start reading in ``models``, or in ``client``.
"""
