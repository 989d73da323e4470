"""Sign-ins of browsers: who a login cookie belongs to, and when that ends.

A login cookie holds ``COOKIE_ID:SESSION_ID``, signed. The session is a row of
its own, so signing out ends that sign-in for every copy of the cookie, and a new
``cookie_id`` ends all sign-ins of a person. Cookies of an imported JupyterHub
hold the bare ``cookie_id``; they are honoured until they run out, and signing
out with one changes the ``cookie_id``, since nothing else would end it.

The second cookie, ``jupyterhub-session-id``, is not signed and proves nothing:
it only tells servers that a browser's sign-in changed.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from perijove.domain.events import Message, Topic
from perijove.domain.users import Session, User
from perijove.kit.clock import Clock
from perijove.kit.crypto import sign_value, unsign_value
from perijove.kit.ids import new_token
from perijove.people.cache import Cache
from perijove.people.texts import storable
from perijove.store import oauth as oauth_store
from perijove.store import sessions as session_store
from perijove.store import tokens as token_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.work.bus import Bus

MAX_COOKIE_LENGTH = 1024
"""Longer cookie values are not looked at."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who is signed in. ``session_id`` is None for an imported cookie alone."""

    user: User
    session_id: str | None
    imported: bool = False


class Sessions:
    """Opens, recognises and ends sign-ins."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        *,
        secret: bytes,
        cookie_name: str,
        max_age_days: float,
    ) -> None:
        """``secret`` signs cookies named ``cookie_name``; sign-ins last ``max_age_days``."""
        self._database = database
        self._bus = bus
        self._clock = clock
        self._secret = secret
        self._cookie_name = cookie_name
        self._max_age_days = max_age_days
        self._cache: Cache[SignedIn] = Cache(bus, clock)

    def new_session(self, user_id: int) -> Session:
        """A fresh session, not stored yet."""
        now = self._clock.now()
        return Session(new_token(), user_id, now, now + timedelta(days=self._max_age_days))

    async def open(self, user: User) -> SignedIn:
        """A new sign-in of this person, under a session id never used before."""
        session = self.new_session(user.id)
        await self._database.write(lambda c: session_store.create(c, session))
        return SignedIn(user, session.id)

    async def extend(self, signed_in: SignedIn) -> SignedIn:
        """The sign-in lasts its full time again; an imported one becomes one of ours."""
        if signed_in.imported or signed_in.session_id is None:
            return await self.open(signed_in.user)
        session_id = signed_in.session_id
        until = self._clock.now() + timedelta(days=self._max_age_days)
        await self._database.write(lambda c: session_store.extend(c, session_id, until))
        return signed_in

    def cookie_value(self, signed_in: SignedIn) -> str:
        """The signed value of the login cookie."""
        value = signed_in.user.cookie_id
        if not signed_in.imported:
            value = f"{value}:{signed_in.session_id}"
        return sign_value(
            self._secret, self._cookie_name, value.encode(), self._clock.now().timestamp()
        )

    async def resolve_login_cookie(
        self, signed: str, session_id: str | None = None
    ) -> SignedIn | None:
        """Who the login cookie belongs to; None: it is forged, too old, or signed out.

        ``session_id`` is the value of the unsigned session cookie. It counts only
        beside an imported cookie; otherwise the signed cookie names the session.
        """
        if len(signed) > MAX_COOKIE_LENGTH:
            return None
        key = (hashlib.sha256(signed.encode("utf-8", "replace")).digest(), session_id)
        known = self._cache.get(key)
        if known is not None:
            return known
        raw = unsign_value(
            self._secret,
            self._cookie_name,
            signed,
            self._max_age_days,
            self._clock.now().timestamp(),
        )
        if raw is None:
            return None
        cookie_id, _, own_session = raw.decode("utf-8", "replace").partition(":")
        if not storable(cookie_id + own_session):
            return None
        generation = self._cache.generation
        found = await self._database.read(
            lambda c: self._look_up(c, cookie_id, own_session, session_id)
        )
        if found is not None:
            tags = [f"user:{found.user.id}"]
            if found.session_id:
                tags.append(f"session:{found.session_id}")
            self._cache.put(key, found, tags, generation)
        return found

    def _look_up(
        self, connection: Connection, cookie_id: str, own_session: str, session_id: str | None
    ) -> SignedIn | None:
        if not own_session:
            user = user_store.by_cookie_id(connection, cookie_id)
            return SignedIn(user, session_id, imported=True) if user else None
        row = session_store.find(connection, own_session)
        if row is None:
            return None
        session, user = row
        if user.cookie_id != cookie_id:
            return None
        if session.expires_at is not None and session.expires_at <= self._clock.now():
            return None
        return SignedIn(user, session.id)

    async def close(self, signed_in: SignedIn) -> None:
        """Sign out: this sign-in and everything that was issued to it ends."""
        user = signed_in.user

        def end(connection: Connection) -> list[int]:
            if signed_in.imported:
                user_store.change(connection, user.id, cookie_id=new_token())
            if signed_in.session_id is None:
                return []
            session_store.remove(connection, signed_in.session_id)
            oauth_store.remove_codes_of_session(connection, signed_in.session_id, user.id)
            return token_store.remove_of_session(connection, signed_in.session_id, user.id)

        for token_id in await self._database.write(end):
            self._tell(f"token:{token_id}")
        if signed_in.session_id is not None:
            self._tell(f"session:{signed_in.session_id}")
        if signed_in.imported:
            self._tell(f"user:{user.id}")

    def _tell(self, key: str) -> None:
        self._bus.publish(Message(Topic.CREDENTIALS, key))
