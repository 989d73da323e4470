"""Asks for a click where a page of somebody else may have sent a person to a link that acts.

What shows that a link was one of the hub's own is the XSRF token in its query,
which nobody else's page can read. Scripts of our pages add it to links that
start a server, this page adds it to its button, and redirects of the hub carry it
on. It is asked for only where the browser says, or leaves open, that a page was
involved: who types an address gets there at once.
"""

import hmac
import re
from urllib.parse import urlencode

from starlette.responses import Response

from perijove.web.call import Call
from perijove.web.origin import sent_by_stranger
from perijove.web.pages.page import render, xsrf_for

_LEADS_TO_A_START = re.compile(r"(?:spawn(?:/[^/]+){0,2})?|user-redirect/.*")
"""What of the hub's own paths, below its prefix, may go on to start a server."""


def may_be_forced(call: Call) -> bool:
    """Whether somebody else's page may have had this link followed, which starts something."""
    user = call.caller.user
    name = user.name if user else ""
    return sent_by_stranger(call.request, call.rooms.addresses, name) and not _proof(call)


def may_be_signed_out_by_force(call: Call) -> bool:
    """The same of a link that signs out.

    Here the path of the page that sent somebody is believed, so that JupyterLab's
    menu signs out at once: who is asked again may walk away signed in, and a page
    that lies about its path can only end a session.
    """
    user = call.caller.user
    name, addresses = user.name if user else "", call.rooms.addresses
    deceived = sent_by_stranger(call.request, addresses, name, believing_paths=True)
    return deceived and not _proof(call)


def _proof(call: Call) -> str:
    """The XSRF token in the query if it is the visitor's."""
    given = call.argument("_xsrf")
    if not given:
        return ""
    token, is_new = xsrf_for(call)
    fits = hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
    return "" if is_new or not fits else given


def carry_proof(call: Call, url: str) -> str:
    """Where a redirect of the hub leads, with this request's proof if it needs and has one.

    Somebody who has signed in just now has one, too: the wish to go on is theirs.
    """
    sent = call.request.headers
    if "sec-fetch-site" not in sent and "referer" not in sent:
        return url  # it would not be asked for
    prefix = call.rooms.settings.network.hub_prefix
    path, mark, query = url.partition("?")
    if not path.startswith(prefix) or "#" in url or "_xsrf=" in query:
        return url
    below = path.removeprefix(prefix)
    if _LEADS_TO_A_START.fullmatch(below) is None or _has_dot_segments(below):
        return url
    proof = call.fresh_xsrf or _proof(call)
    return f"{url}{'&' if mark else '?'}{urlencode({'_xsrf': proof})}" if proof else url


def _has_dot_segments(path: str) -> bool:
    """Whether a browser would take the path for another one, which may be anybody's."""
    plain = path.lower().replace("%2e", ".").replace("\\", "/")
    return any(segment in {".", ".."} for segment in plain.split("/"))


def without_proof(query: str) -> str:
    """A query as it was before the proof was added; servers are not to see it."""
    return "&".join(part for part in query.split("&") if not part.startswith("_xsrf="))


async def ask(call: Call, question: str, label: str) -> Response:
    """The page with the question; its link leads here again."""
    token, _ = xsrf_for(call)
    kept = [(name, value) for name, values in call.query.items() for value in values]
    query = urlencode(
        [*((n, v) for n, v in kept if n != "_xsrf"), ("_xsrf", token)], errors="surrogateescape"
    )
    return await render(
        call,
        "confirm.html",
        confirm_heading=question,
        confirm_message="You followed a link, and the hub cannot tell whose page it was on.",
        confirm_url=f"{call.raw_path}?{query}",
        confirm_label=label,
    )


async def ask_to_sign_out(call: Call) -> Response:
    """The question before a session ends."""
    return await ask(call, "Sign out?", "Sign out")
