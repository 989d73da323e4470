"""Asking the authenticator again, where a request gives the occasion."""

from perijove.domain.errors import Forbidden
from perijove.domain.users import User
from perijove.people.refresh import Freshness
from perijove.web.call import Call
from perijove.web.caller import STRANGER, Caller


async def identify(call: Call, *, cookies: bool = True) -> Caller:
    """Find out who calls, and ask the authenticator again if that is due."""
    call.caller = await fresh(call, await call.identify(cookies=cookies))
    return call.caller


async def fresh(call: Call, caller: Caller) -> Caller:
    """The caller, as the authenticator sees it now.

    Somebody whose sign-in is stale counts as signed out. A token works on with
    what is known, unless the authenticator is strict.
    """
    rooms = call.rooms
    if caller.user is None or not rooms.refresher.due(caller.user):
        return caller
    freshness, user = await rooms.refresher.refresh(caller.user, call.request)
    if freshness is Freshness.FRESH:
        if user is caller.user:
            return caller
        return caller._replace(user=user)
    if caller.signed_in is not None or rooms.authenticator.rules.refresh_strict:
        return STRANGER
    return caller


async def require_fresh(call: Call, user: User, action: str) -> None:
    """Refresh the owner of a server before a start or stop, if the operator wants that.

    Raises Forbidden when the owner is there and can sign in again. Programs and other
    people cannot do that for them, so what they ask for goes on with what is known,
    unless the authenticator is strict; a stop by somebody else goes on even then.
    """
    authenticator = call.rooms.authenticator
    rules = authenticator.rules
    wanted = rules.refresh_pre_spawn if action == "spawn" else rules.refresh_pre_stop
    if not wanted or authenticator.refresh_age_s <= 0:
        return
    freshness, _ = await call.rooms.refresher.refresh(user, call.request, force=True)
    if freshness is Freshness.STALE:
        own = call.caller.user is not None and call.caller.user.id == user.id
        there = own and call.caller.signed_in is not None
        if there or (rules.refresh_strict and (action == "spawn" or own)):
            raise Forbidden(f"auth has expired for {user.name}, login again")
