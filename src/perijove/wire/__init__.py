"""What travels: the models of requests and answers.

``models`` declares them once; requests are validated against them, and the
OpenAPI document is made from them. Nothing here knows the database, the web
server or who may read which field. Start reading in ``models``.
"""
