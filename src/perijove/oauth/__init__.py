"""The hub as an OAuth 2 provider for people's servers and for services.

Every server and every service with pages is a client: it sends a browser here,
gets a code back, and exchanges it for a token that says who the visitor is and
what the client may do for them. Only the authorization code flow is offered,
with PKCE. The protocol's checks are oauthlib's; the answers to its questions are
``validator``, and who may be let in and must be asked is ``consent``. ``provider``
meets people, ``backchannel`` the clients themselves.

This room must not know pages, forms or cookies. Tokens that it issues are
ordinary API tokens (``people.tokens``). Start reading in ``provider``.
"""
