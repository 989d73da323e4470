"""A service for a hub: a badge for each visitor, and a list of them for who may see it.

``install`` puts the hub's gate in front of the application: nobody comes in whom
the hub does not admit, browsers are sent to sign in, forged requests are refused.
"""

import sys
from typing import Any

from flask import Flask, jsonify, redirect, render_template

from perijove.hubauth.flask import current_user, install, require_scopes

app = Flask(__name__)
gate = install(app)
prefix = gate.base_url
given: set[str] = set()


@app.get(prefix)
def show() -> str:
    """The visitor's badge; the template knows hub_user and xsrf_token."""
    return render_template("badge.html", prefix=prefix, given=given)


@app.post(f"{prefix}take")
def take() -> Any:
    """Give the visitor a badge."""
    user = current_user()
    assert user is not None
    given.add(user["name"])
    return redirect(prefix, 303)


@app.get(f"{prefix}list")
@require_scopes("custom:badge:list")
def everybody() -> Any:
    """Who has a badge."""
    return jsonify(sorted(given))


if __name__ == "__main__":
    # For real use put a WSGI server here, for example: gunicorn badge:app
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
