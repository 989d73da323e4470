"""Asks for a click where a page of somebody else sent a person to a link that changes something.

The link on the page that asks carries the XSRF token of the visitor's pages,
which nobody else's page can read, so it works in browsers that hide where they
come from.
"""

import hmac
from urllib.parse import urlencode

from starlette.responses import Response

from perijove.web.call import Call
from perijove.web.origin import sent_by_stranger
from perijove.web.pages.page import render, xsrf_for


def needs_click(call: Call) -> bool:
    """Whether a link was followed that neither the visitor nor a page of theirs chose."""
    user = call.caller.user
    if not sent_by_stranger(call.request, call.rooms.addresses, user.name if user else ""):
        return False
    token, is_new = xsrf_for(call)
    given = (call.argument("_xsrf") or "").encode("utf-8", "replace")
    return is_new or not given or not hmac.compare_digest(given, token.encode())


async def ask(call: Call, question: str, label: str) -> Response:
    """The page with the question; its link leads here again."""
    token, _ = xsrf_for(call)
    kept = [(name, value) for name, values in call.query.items() for value in values]
    query = urlencode([*((n, v) for n, v in kept if n != "_xsrf"), ("_xsrf", token)])
    return await render(
        call,
        "confirm.html",
        confirm_heading=question,
        confirm_message="A page outside the hub sent you here.",
        confirm_url=f"{call.raw_path}?{query}",
        confirm_label=label,
    )


async def ask_to_sign_out(call: Call) -> Response:
    """The question before a session ends."""
    return await ask(call, "Sign out?", "Sign out")
