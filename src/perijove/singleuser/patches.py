"""Four members of Jupyter Server's base handler that no option or subclass can replace.

Handlers of Jupyter Server and of all its extensions inherit from
``JupyterHandler``; an identity provider is asked who visits, but not where to
sign in for *this* request (the round needs a cookie) nor how XSRF tokens are
made (ours are bound to the session and differ per server), and tornado logs
addresses with the secrets in them. So these members are replaced on the class,
once, in a process that serves nothing else.
"""

from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError

from perijove.hubauth import browser, xsrf
from perijove.singleuser.identity import HubIdentityProvider


def _get_login_url(self: Any) -> str:
    """Where a browser signs in; APIHandler answers 403 before it comes to this."""
    provider: HubIdentityProvider = self.identity_provider
    return provider.login_url(self)


def _xsrf_token(self: Any) -> bytes:
    """The XSRF token for this visitor's pages."""
    provider: HubIdentityProvider = self.identity_provider
    return provider.hub_auth.xsrf_token(self).encode("ascii")


def _check_xsrf_cookie(self: Any) -> None:
    """Refuse a cookie's request that does not prove itself.

    Called by tornado before anybody is identified (then it waits), by
    ``prepare`` for methods that change something, and by handlers of files for
    GET, to keep other sites from embedding them.
    """
    if not hasattr(self, "_jupyter_current_user"):
        return
    if self.token_authenticated or self.settings.get("disable_check_xsrf", False):
        return
    if not self.check_origin():
        raise HTTPError(404)
    provider: HubIdentityProvider = self.identity_provider
    method, headers = self.request.method, self.request.headers
    if not xsrf.needs_proof(method, headers, provider.hub_auth.base_url):
        # Browsers that do not send Sec-Fetch headers at least name the page.
        told = "Sec-Fetch-Mode" in headers or not headers.get("Referer")
        if told or _referer_fits(self):
            return
    if fault := provider.hub_auth.xsrf_fault(self):
        raise HTTPError(403, fault)


def _referer_fits(handler: Any) -> bool:
    try:
        return bool(handler.check_referer())
    except ValueError:  # a Referer that is no URL
        return False


def apply() -> None:
    """Replace the members. Harmless when done twice."""
    members = {
        "get_login_url": _get_login_url,
        "xsrf_token": property(_xsrf_token),
        "check_xsrf_cookie": _check_xsrf_cookie,
        "_request_summary": browser.request_summary,
    }
    for name, member in members.items():
        setattr(JupyterHandler, name, member)
