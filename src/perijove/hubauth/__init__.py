"""What a server or a service uses to ask the hub: who is this, and may they in?

The pure part needs no framework: ``settings`` (the environment that a hub
sets), ``scopes`` (may this visitor in?), ``identity`` (a bounded cache in front
of the hub's answer), ``oauth`` (sign-in rounds), ``xsrf`` (proofs against forged
requests), ``headers`` and ``forms`` (what a request says), ``client`` (requests
to the hub and how to read its answers).

On top stand the faces. tornado: ``configurable`` and ``hub_oauth`` (HubAuth,
HubOAuth), ``browser`` (cookies and headers of one request) and ``handlers``
(mixins for handlers). ASGI and WSGI: ``gate`` decides about a ``web_request`` in
the words of ``visits``, ``link`` carries its questions to the hub; ``asgi`` and
``wsgi`` are middlewares, ``starlette`` (FastAPI too) and ``flask`` read what they
found. Only a face imports its framework.

This room runs in other processes than the hub and must not know the hub's
insides: it speaks to it by HTTP alone. Start reading in ``gate``, or for
tornado in ``configurable``.
"""
