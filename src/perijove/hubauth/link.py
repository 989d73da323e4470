"""Carries the gate's questions to the hub, for programs with an event loop and for threads."""

import asyncio
from collections.abc import Callable
from ssl import SSLContext
from typing import TypeVar

from perijove.hubauth import client
from perijove.hubauth.identity import Identities, UserModel
from perijove.hubauth.settings import HubAuthSettings
from perijove.hubauth.visits import Question, Steps, WhoIs
from perijove.kit.tls import make_caller_context

T = TypeVar("T")

CACHE_MAX_AGE_S = 60.0
"""For so long a revoked token may still open a service (see docs/reference/hubauth.md)."""


class HubLink:
    """One service's way to the hub, with a bounded cache of who holds which token.

    ``cache_max_age_s``: how old an answer may be, in seconds. Threads and one
    event loop may share a link.
    """

    def __init__(
        self,
        settings: HubAuthSettings,
        cache_max_age_s: float = CACHE_MAX_AGE_S,
        fetch: Callable[[client.HubRequest], client.HubReply] | None = None,
    ) -> None:
        self.settings = settings
        self.identities = Identities(cache_max_age_s)
        self._fetch = fetch or self._fetch_blocking
        self._ssl_context: SSLContext | None = make_caller_context(
            settings.keyfile, settings.certfile, settings.client_ca
        )

    async def drive(self, steps: Steps[T]) -> T:
        """Run the gate's steps to their end. Raises HubError."""
        try:
            question = next(steps)
            while True:
                question = steps.send(await self._answer(question))
        except StopIteration as end:
            result: T = end.value
            return result

    def drive_blocking(self, steps: Steps[T]) -> T:
        """As ``drive``, waiting."""
        try:
            question = next(steps)
            while True:
                question = steps.send(self._answer_blocking(question))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _answer(self, question: Question) -> UserModel | str | None:
        if isinstance(question, WhoIs):
            return await self.identify(question.token, question.session_id, question.max_age_s)
        return await asyncio.to_thread(self._answer_blocking, question)

    async def identify(
        self, token: str, session_id: str = "", max_age_s: float | None = None
    ) -> UserModel | None:
        """Who holds a token; None when the hub does not know it. Raises HubError."""

        # Questions are rare, since answers are kept; a thread for each is cheap enough.
        async def ask() -> UserModel | None:
            return await asyncio.to_thread(self._whoami, token)

        return await self.identities.identify(token, session_id, ask, max_age_s)

    def _answer_blocking(self, question: Question) -> UserModel | str | None:
        if isinstance(question, WhoIs):
            token = question.token
            return self.identities.identify_blocking(
                token, question.session_id, lambda: self._whoami(token), question.max_age_s
            )
        request = client.token_request(
            f"{self.settings.api_url}/oauth2/token",
            client_id=self.settings.client_id,
            client_secret=self.settings.api_token,
            code=question.code,
            redirect_uri=self.settings.oauth_redirect_uri,
            code_verifier=question.verifier,
        )
        return client.read_token(self._fetch(request))

    def _whoami(self, token: str) -> UserModel | None:
        return client.read_whoami(self._fetch(client.whoami_request(self.settings.api_url, token)))

    def _fetch_blocking(self, request: client.HubRequest) -> client.HubReply:
        return client.fetch_blocking(request, self._ssl_context)
