"""The hub's answer to "who holds this token?", kept for a while.

A page of JupyterLab sends dozens of requests at once, so answers are cached,
and callers that ask for the same token meanwhile share one request. The key
holds the browser's session id: signing out at the hub changes it, which ends
the cached answer at once. The cache is bounded, since anybody may send tokens.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from perijove.hubauth.client import HubUnreachable
from perijove.kit.aio import SingleFlight
from perijove.kit.crypto import hash_token

UserModel = dict[str, Any]

MAX_ENTRIES = 1000
"""More tokens than this at one server are an attack or a flood; the oldest go."""


def cache_key(session_id: str, token: str) -> str:
    """The key of one token within one browser session; holds no secret."""
    return f"token:{session_id}:{hash_token(token)}"


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """What the hub said (None: no such token) and how old that is, in seconds."""

    model: UserModel | None
    age_s: float


class IdentityCache:
    """Answers by key, at most ``max_entries`` of them. Threads may share it."""

    def __init__(
        self,
        max_entries: int = MAX_ENTRIES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_entries = max_entries
        self._monotonic = monotonic
        self._answers: OrderedDict[str, tuple[float, UserModel | None]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> CachedAnswer | None:
        """The stored answer, however old; None when there is none."""
        entry = self._answers.get(key)
        if entry is None:
            return None
        stored_at, model = entry
        return CachedAnswer(model, self._monotonic() - stored_at)

    def put(self, key: str, model: UserModel | None) -> None:
        """Store an answer, dropping the oldest one when full."""
        with self._lock:
            self._answers.pop(key, None)
            while len(self._answers) >= self.max_entries:
                self._answers.popitem(last=False)
            self._answers[key] = (self._monotonic(), model)

    def drop_token(self, token: str) -> None:
        """Forget what was said about a token, in whatever browser session."""
        mark = hash_token(token)
        with self._lock:
            for key in [key for key in self._answers if key.endswith(mark)]:
                del self._answers[key]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._answers.clear()


class Identities:
    """Who holds which token: the cache, the hub behind it, one request per question.

    While the hub cannot be reached (it restarts, say) an answer may be older, up
    to ``outage_age_s`` (default: twice ``max_age_s``): nothing can be revoked at a
    hub that is down.
    """

    def __init__(
        self,
        max_age_s: float,
        cache: IdentityCache | None = None,
        outage_age_s: float | None = None,
    ) -> None:
        self.max_age_s = max_age_s
        self._outage_age_s = outage_age_s
        self.cache = cache if cache is not None else IdentityCache()
        self._flight = SingleFlight()
        self._asking: dict[str, Future[UserModel | None]] = {}
        self._lock = threading.Lock()

    def recall(
        self, token: str, session_id: str, max_age_s: float | None = None
    ) -> CachedAnswer | None:
        """The cached answer if it is fresh enough."""
        answer = self.cache.get(cache_key(session_id, token))
        limit = self.max_age_s if max_age_s is None else min(max_age_s, self.max_age_s)
        return answer if answer is not None and answer.age_s < limit else None

    def remember(self, token: str, session_id: str, model: UserModel | None) -> None:
        """Store what the hub said. A token that it does not know is dead in every session."""
        if model is None:
            self.cache.drop_token(token)
        self.cache.put(cache_key(session_id, token), model)

    def fall_back(self, token: str, session_id: str) -> CachedAnswer | None:
        """The answer that may stand in while the hub is unreachable."""
        answer = self.cache.get(cache_key(session_id, token))
        limit = 2 * self.max_age_s if self._outage_age_s is None else self._outage_age_s
        return answer if answer is not None and answer.age_s < limit else None

    async def identify(
        self,
        token: str,
        session_id: str,
        ask: Callable[[], Awaitable[UserModel | None]],
        max_age_s: float | None = None,
    ) -> UserModel | None:
        """The holder of ``token``, from the cache or by calling ``ask``.

        ``max_age_s`` asks for a fresher answer than usual. Raises what ``ask``
        raises, but HubUnreachable only when no recent answer is known.
        """
        if (known := self.recall(token, session_id, max_age_s)) is not None:
            return known.model

        async def ask_and_remember() -> UserModel | None:
            model = await ask()
            self.remember(token, session_id, model)
            return model

        try:
            return await self._flight.run(cache_key(session_id, token), ask_and_remember)
        except HubUnreachable:
            if (stale := self.fall_back(token, session_id)) is not None:
                return stale.model
            raise

    def identify_blocking(
        self,
        token: str,
        session_id: str,
        ask: Callable[[], UserModel | None],
        max_age_s: float | None = None,
    ) -> UserModel | None:
        """As ``identify``, for threads: one of them asks, the others wait for its answer."""
        if (known := self.recall(token, session_id, max_age_s)) is not None:
            return known.model
        key = cache_key(session_id, token)
        with self._lock:
            others = self._asking.get(key)
            mine = self._asking.setdefault(key, Future())
        try:
            if others is not None:
                return others.result()
            self._settle(mine, ask)
            model = mine.result()
            self.remember(token, session_id, model)
            return model
        except HubUnreachable:
            if (stale := self.fall_back(token, session_id)) is not None:
                return stale.model
            raise
        finally:
            if others is None:
                with self._lock:
                    del self._asking[key]

    @staticmethod
    def _settle(future: "Future[UserModel | None]", ask: Callable[[], UserModel | None]) -> None:
        """Put the answer of ``ask``, or its exception, where all who wait find it."""
        try:
            future.set_result(ask())
        except BaseException as error:
            future.set_exception(error)
