"""What a server or a service uses to ask the hub: who is this, and may they in?

The pure part needs no framework: ``settings`` (the environment that a hub
sets), ``scopes`` (may this visitor in?), ``identity`` (a bounded cache in front
of the hub's answer), ``oauth`` (sign-in rounds), ``xsrf`` (proofs against forged
requests), ``client`` (requests to the hub and how to read its answers).

On top stands the tornado face: ``configurable`` (HubAuth, HubOAuth), ``browser``
(cookies and headers of one request) and ``handlers`` (mixins for handlers).

This room runs in other processes than the hub and must not know the hub's
insides: it speaks to it by HTTP alone. Start reading in ``configurable``.
"""
