"""A Flask service on upstream's HubOAuth, which walks the rounds itself."""

import os
import secrets
from functools import wraps
from urllib.parse import urlparse

from flask import Flask, Response, jsonify, make_response, redirect, request, session
from jupyterhub.services.auth import HubOAuth

PREFIX = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
auth = HubOAuth(api_token=os.environ["JUPYTERHUB_API_TOKEN"], cache_max_age=60)
app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
app.config["SESSION_COOKIE_PATH"] = PREFIX


def signed_in(view):
    """Hand the hub's model to a view, or send the browser to the hub."""

    @wraps(view)
    def wrapped(*args, **kwargs):
        token = session.get("token")
        user = auth.user_for_token(token) if token else None
        if user is not None:
            return view(user, *args, **kwargs)
        state = auth.generate_state(next_url=request.path)
        response = make_response(redirect(f"{auth.login_url}&state={state}"))
        response.set_cookie(auth.state_cookie_name, state, path=PREFIX, httponly=True)
        return response

    return wrapped


@app.route(PREFIX)
@signed_in
def whoami(user):
    return jsonify(user)


@app.route(PREFIX + "oauth_callback")
def oauth_callback():
    code = request.args.get("code")
    state, kept = request.args.get("state"), request.cookies.get(auth.state_cookie_name)
    if code is None or state is None or state != kept:
        return Response("forbidden", 403)
    session["token"] = auth.token_for_code(code)
    return redirect(auth.get_next_url(kept))


if __name__ == "__main__":
    url = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    app.run(url.hostname, url.port)
