"""An application that signs people in with the hub by a standard OAuth client, Authlib.

Nothing here is the hub's: any OAuth 2 library does, in any language.
"""

import os
import secrets
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, render_template_string, session, url_for

HUB = os.environ.get("HUB_URL", "http://127.0.0.1:8000")

app = Flask(__name__)
app.secret_key = os.environ.get("APP_COOKIE_SECRET") or secrets.token_bytes(32)
app.config.update(SESSION_COOKIE_NAME="reports-session", SESSION_COOKIE_SAMESITE="Lax")

hub = OAuth(app).register(
    "hub",
    client_id="service-reports",
    client_secret=os.environ.get("APP_SECRET", "a-secret-for-trying-out-0123456789"),
    authorize_url=f"{HUB}/hub/api/oauth2/authorize",
    access_token_url=f"{HUB}/hub/api/oauth2/token",
    api_base_url=f"{HUB}/hub/api/",
    client_kwargs={"code_challenge_method": "S256"},
)

PAGE = """<!doctype html>
<title>Reports</title>
<h1>Reports for {{ name }}</h1>
<form method="post" action="{{ url_for('sign_out') }}"><button>Sign out</button></form>
"""


def person() -> dict[str, Any] | None:
    """Who is signed in. The hub is asked each time, so who signs out there is out here too."""
    if "token" not in session:
        return None
    answer = hub.get("user", token=session["token"])
    if answer.status_code == 403:
        session.clear()
        return None
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


@app.get("/")
def show() -> Any:
    """The reports, or the way to sign in."""
    user = person()
    if user is None:
        return hub.authorize_redirect(url_for("callback", _external=True))
    return render_template_string(PAGE, name=user["name"])


@app.get("/callback")
def callback() -> Any:
    """The hub sends people back to here, with a code that is good for one token."""
    try:
        token = hub.authorize_access_token()
    except OAuthError as error:
        return f"The hub did not sign you in: {error.description or error.error}", 403
    # The cookie is signed, not secret: only what the next requests need, and to this browser only.
    session["token"] = {"access_token": token["access_token"], "token_type": "Bearer"}
    return redirect(url_for("show"))


@app.post("/sign-out")
def sign_out() -> Any:
    """Forget the person here, and go on to the hub, where the session ends everywhere."""
    session.clear()
    return redirect(f"{HUB}/hub/logout")


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ.get("APP_PORT", "10103")), threaded=True)
