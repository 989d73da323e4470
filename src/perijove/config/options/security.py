"""Secrets, cookies and the lives of tokens."""

from binascii import Error as HexError
from binascii import unhexlify
from typing import Any

from traitlets import (
    Bool,
    Bunch,
    Bytes,
    Float,
    HasTraits,
    Integer,
    TraitError,
    Unicode,
    Union,
    default,
    validate,
)


class SecurityOptions(HasTraits):
    """What protects sign-ins."""

    cookie_secret = Union(
        [Bytes(), Unicode()],
        help="""The key that signs cookies: 32 bytes, or text with 64 hexadecimal digits.

        By default it comes from the environment variable `JPY_COOKIE_SECRET` (hexadecimal),
        else from `cookie_secret_file`, which is made when it is missing. A new key
        signs everybody out. All replicas need the same one.
        """,
    ).tag(config=True)

    cookie_secret_file = Unicode(
        "jupyterhub_cookie_secret",
        help="""The file that holds the key for cookies, in hexadecimal.

        Made with mode 600 when missing. A file that everybody may read or write stops
        the start.
        """,
    ).tag(config=True)

    cookie_max_age_days = Float(
        14,
        help="""Days until people must sign in again.

        Also the default life of the tokens that servers and services get by OAuth.
        """,
    ).tag(config=True)

    cookie_host_prefix_enabled = Bool(
        False,
        help="""Give cookies the prefix `__Host-`, so that no other host of the domain can set
        them. Needs HTTPS; their path becomes `/`.
        """,
    ).tag(config=True)

    oauth_token_expires_in = Integer(
        help="""Seconds that tokens live which servers and services get by OAuth.

        By default as long as `cookie_max_age_days`.
        """,
    ).tag(config=True)

    oauth_require_pkce = Bool(
        False,
        help="""Refuse OAuth sign-ins without an S256 challenge (PKCE, RFC 7636).

        Older clients send none.
        """,
    ).tag(config=True)

    token_expires_in_max_seconds = Integer(
        0,
        help="""The longest life, in seconds, of tokens that people make; 0 for no limit.

        A request for a longer one is refused; a request that names no life gets this one.
        """,
    ).tag(config=True)

    trust_user_provided_tokens = Bool(
        False,
        help="""Tokens in this configuration are long and random, so they need no slow hash.""",
    ).tag(config=True)

    authenticate_prometheus = Bool(
        True,
        help="""Show metrics only to callers with the scope `read:metrics`.""",
    ).tag(config=True)

    @default("oauth_token_expires_in")
    def _as_long_as_cookies(self) -> int:
        return int(self.cookie_max_age_days * 86400)

    @validate("cookie_secret")
    def _secret_is_hex(self, proposal: Bunch) -> Any:
        if isinstance(proposal.value, str):
            try:
                return unhexlify(proposal.value)
            except (HexError, ValueError):
                # The value stays out of the message: it is a secret.
                raise TraitError(
                    "c.JupyterHub.cookie_secret as text must be an even number of hexadecimal "
                    "digits (openssl rand -hex 32 makes one)"
                ) from None
        return proposal.value
