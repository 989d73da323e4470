"""The REST API as applications see it: pages of lists, browsers' origins, rates."""

from typing import Any
from urllib.parse import urlsplit

from traitlets import Bunch, Float, HasTraits, Integer, List, TraitError, Unicode, validate


class ApiOptions(HasTraits):
    """What clients of the REST API may do, and how often."""

    log: Any

    api_page_default_limit = Integer(
        50,
        help="""The number of entries on a page of a list, unless the request names one.""",
    ).tag(config=True)

    api_page_max_limit = Integer(
        200,
        help="""The largest number of entries on a page of a list that a request may ask for.""",
    ).tag(config=True)

    api_allowed_origins = List(
        Unicode(),
        help="""Origins whose pages may call the REST API from a browser, with a token of the
        `Authorization` header: `['https://app.example']`, or `['*']` for every page.

        Cookies never count for such requests. By default no page of another origin may
        read the API's answers.
        """,
    ).tag(config=True)

    api_rate_limit = Float(
        0.0,
        help="""The number of REST requests per second that one token may make in the long run;
        0 for no limit.

        What is more is answered 429 with `Retry-After`. Each hub that shares the database
        counts for itself.
        """,
    ).tag(config=True)

    api_rate_burst = Integer(
        100,
        help="""The number of REST requests that one token may make at once, after a pause, when
        `api_rate_limit` is set.
        """,
    ).tag(config=True)

    @validate("api_allowed_origins")
    def _check_origins(self, proposal: Bunch) -> list[str]:
        return [_origin(text) for text in proposal.value]


def _origin(text: str) -> str:
    """An origin as browsers send it (RFC 6454). Raises TraitError."""
    if text == "*":
        return text
    parts = urlsplit(text.rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
        raise TraitError(
            f"c.JupyterHub.api_allowed_origins: {text!r} is no origin such as https://app.example"
        )
    return f"{parts.scheme}://{parts.netloc}".lower()
