"""The words that the gate and its faces share: questions to the hub, visitors, answers."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from perijove.hubauth.headers import KEPT_APART, VARY, kept_apart
from perijove.hubauth.identity import UserModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WhoIs:
    """Asks the hub who holds a token; answered with a user model or None."""

    token: str = field(repr=False)
    session_id: str = field(repr=False)
    max_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Redeem:
    """Asks the hub for the access token behind a code; answered with it."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)


Question = WhoIs | Redeem
Steps = Generator[Question, Any, T]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sent a request.

    ``user`` is the hub's model, None for strangers and people who may not
    enter: ``refused_name`` is then the name of the latter, ``fault`` says why
    a cookie was left aside. ``cookies`` are to be set with the answer.
    """

    user: UserModel | None = None
    token: str = field(default="", repr=False)
    session_id: str = field(default="", repr=False)
    by_token: bool = False
    xsrf_token: str = field(default="", repr=False)
    refused_name: str = ""
    fault: str = ""
    cookies: tuple[str, ...] = field(default=(), repr=False)

    def header_pairs(self, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """What the application's answer to this visitor needs besides the ``given`` headers."""
        pairs = [("vary", VARY)] if self.user is not None else []
        cookies = [("set-cookie", cookie) for cookie in self.cookies]
        return pairs + cookies + kept_apart(given)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate itself answers a request: a redirect, or a refusal with a sentence."""

    status: int
    message: str = ""
    location: str = ""
    cookies: tuple[str, ...] = field(default=(), repr=False)

    def header_pairs(self) -> list[tuple[str, str]]:
        """The headers, of which none may be stored or passed on."""
        pairs = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(self.body))),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            *KEPT_APART,
        ]
        if self.location:
            pairs.append(("location", self.location))
        return pairs + [("set-cookie", cookie) for cookie in self.cookies]

    @property
    def body(self) -> bytes:
        """The sentence."""
        return self.message.encode("utf-8")


class SignInNeeded(Exception):
    """Raised by a page below the ASGI middleware that only people who are signed in may see."""


class NotAllowed(Exception):
    """Raised by a page below the ASGI middleware to refuse a visitor; the text is for them."""
