"""Who may do what: scopes, roles and the decision, as pure functions of plain values.

Three steps. ``expand`` turns the scopes that roles and tokens were given into
what they mean for one owner; ``intersect`` cuts a token down to its owner;
``decide`` asks whether the result reaches a target. This room never reads a
database: where membership of groups matters, it is handed in. It knows neither
requests nor plug-ins. Start reading in ``catalogue``, then ``decide``.

How a caller uses it, once per token (keep the grant) and once per request::

    owner = Owner("user", "ada")
    held = scopes_of_user("ada", role_scopes, share_scopes).scopes
    grant = Grant.of(scopes_of_token(token.scopes, owner, held, client, members).scopes)

    operation = OPERATIONS["GET /users/{name}"]
    groups = groups_of("bob") if grant.uses_groups(operation.needs) else frozenset()
    target = Target.of_user("bob", groups)
    answer = decide(grant, operation.needs, target, hidden_status=operation.hidden_status)
    if isinstance(answer, Denied):
        ...  # answer.status and answer.message for the caller, answer.reason for the log
    fields = readable_user_fields(grant, target)
"""
