"""A small identity provider on loopback: OpenID Connect for people, and an LTI 1.3 platform.

People sign in at ``/authorize`` with the passwords of ``PEOPLE``. The code flow
(OpenID Connect Core 1.0, section 3.1) checks client, redirect address, single use
of codes and PKCE (RFC 7636). ``/lti/auth`` answers as a platform answers a tool (LTI
1.3: an ID token posted by the browser), for whoever ``login_hint`` names.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT_ID, CLIENT_SECRET = "hub-of-the-tests", "client-secret-0123456789"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"

PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {"password": "ada-secret", "groups": ["hub-users", "hub-admins"], "roles": "Instructor"},
    "brook": {"password": "brook-secret", "groups": ["hub-users"], "roles": "Learner"},
    "chen": {"password": "chen-secret", "groups": ["hub-users"], "roles": "Learner"},
    "eve": {"password": "eve-secret", "groups": ["others"], "roles": "Learner"},
}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Identity:
    """What the provider knows; ``origin`` is where it listens."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}
        self.origin = ""

    def jwks(self) -> dict[str, Any]:
        """The public key, for those who check signatures."""
        numbers = self.key.public_key().public_numbers()
        modulus, exponent = (
            _text(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            for number in (numbers.n, numbers.e)
        )
        key = {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256"}
        return {"keys": [{**key, "n": modulus, "e": exponent}]}

    def signed(self, claims: dict[str, Any], key: rsa.RSAPrivateKey | None = None) -> str:
        """A JSON Web Token of the claims; ``key`` is for a forger."""
        now = int(time.time())
        whole = {"iss": self.origin, "iat": now, "exp": now + 300, **claims}
        parts = ({"alg": "RS256", "typ": "JWT", "kid": "one"}, whole)
        head = ".".join(_text(json.dumps(part).encode()) for part in parts)
        signature = (key or self.key).sign(head.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{head}.{_text(signature)}"

    def claims_of(self, name: str) -> dict[str, Any]:
        """What the provider tells of a person."""
        return {
            "sub": f"id-{name}",
            "preferred_username": name.upper(),
            "email": f"{name}@example.org",
            "groups": PEOPLE[name]["groups"],
        }

    def launch(self, name: str, nonce: str) -> dict[str, Any]:
        """The claims of an LTI launch."""
        return {
            "aud": CLIENT_ID,
            "sub": f"id-{name}",
            "nonce": nonce,
            "email": f"{name}@example.org",
            LTI + "message_type": "LtiResourceLinkRequest",
            LTI + "version": "1.3.0",
            LTI + "deployment_id": "deployment-1",
            LTI + "target_link_uri": "http://127.0.0.1/hub",
            LTI + "resource_link": {"id": "link-1"},
            LTI + "context": {"id": "course-1", "label": "MECH101"},
            LTI + "roles": [
                "http://purl.imsglobal.org/vocab/lis/v2/membership#" + PEOPLE[name]["roles"]
            ],
        }


class _Handler(BaseHTTPRequestHandler):
    identity: Identity

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""

    def answer(
        self, status: int, body: Any, kind: str = "application/json", **headers: str
    ) -> None:
        """Send a whole response."""
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def query(self) -> dict[str, str]:
        """Parameters of the address."""
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def form(self) -> dict[str, str]:
        """Fields of the body."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        return {key: values[0] for key, values in parse_qs(body).items()}

    def do_GET(self) -> None:
        match urlsplit(self.path).path:
            case "/jwks":
                self.answer(200, self.identity.jwks())
            case "/authorize":
                self.ask("")
            case "/userinfo":
                self.userinfo()
            case "/lti/auth":
                self.launch()
            case _:
                self.answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        match urlsplit(self.path).path:
            case "/authorize":
                self.authorize()
            case "/token":
                self.token()
            case _:
                self.answer(404, {"error": "not found"})

    # -- OpenID Connect -----------------------------------------------------------------
    def ask(self, remark: str) -> None:
        """The page where people type name and password."""
        query = self.query()
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            self.answer(400, {"error": "invalid_request"})
            return
        page = (
            f"<h1>Provider</h1><p id=remark>{escape(remark)}</p>"
            f'<form method="post" action="{escape(self.path)}"><input name="user">'
            '<input name="password" type="password"><button>Sign in</button></form>'
        )
        self.answer(401 if remark else 200, page, "text/html")

    def authorize(self) -> None:
        """Check the password, and send a code to the client."""
        query, form = self.query(), self.form()
        person = PEOPLE.get(form.get("user", ""))
        if person is None or person["password"] != form.get("password"):
            self.ask("That is not right.")
            return
        code = secrets.token_urlsafe(16)
        self.identity.codes[code] = {**query, "user": form["user"]}
        back = urlencode({"code": code, "state": query["state"]})
        self.answer(302, "", Location=f"{query['redirect_uri']}?{back}")

    def token(self) -> None:
        """Exchange a code, once, for an access token."""
        form = self.form()
        grant = self.identity.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        known = self.headers.get("Authorization") == f"Basic {basic}" or (
            form.get("client_id"),
            form.get("client_secret"),
        ) == (CLIENT_ID, CLIENT_SECRET)
        if not known:
            self.answer(401, {"error": "invalid_client"})
        elif grant is None or grant["redirect_uri"] != form.get("redirect_uri"):
            self.answer(400, {"error": "invalid_grant"})
        elif not _proved(grant, form.get("code_verifier", "")):
            self.answer(400, {"error": "invalid_grant", "error_description": "PKCE"})
        else:
            token = secrets.token_urlsafe(24)
            self.identity.tokens[token] = grant["user"]
            claims = {**self.identity.claims_of(grant["user"]), "aud": CLIENT_ID}
            self.answer(
                200,
                {
                    "access_token": token,
                    "token_type": "Bearer",
                    "expires_in": 3600,
                    "scope": grant.get("scope", ""),
                    "id_token": self.identity.signed(claims),
                },
            )

    def userinfo(self) -> None:
        """Claims of the person whose token it is."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        name = self.identity.tokens.get(token)
        if name is None:
            self.answer(401, {"error": "invalid_token"})
        else:
            self.answer(200, self.identity.claims_of(name))

    # -- LTI ----------------------------------------------------------------------------
    def launch(self) -> None:
        """The page that posts the launch to the tool, as browsers of learners do."""
        query = self.query()
        name = query.get("login_hint", "")
        if query.get("client_id") != CLIENT_ID or name not in PEOPLE:
            self.answer(400, {"error": "invalid_request"})
            return
        token = self.identity.signed(self.identity.launch(name, query["nonce"]))
        page = (
            f'<form method="post" action="{escape(query["redirect_uri"])}">'
            f'<input type="hidden" name="state" value="{escape(query["state"])}">'
            f'<input type="hidden" name="id_token" value="{token}"></form>'
            "<script>document.forms[0].submit()</script>"
        )
        self.answer(200, page, "text/html")


def _proved(grant: dict[str, str], verifier: str) -> bool:
    challenge = grant.get("code_challenge")
    if challenge is None:
        return True
    return challenge == _text(hashlib.sha256(verifier.encode()).digest())


@contextmanager
def running_identity(port: int) -> Iterator[Identity]:
    """A provider that listens on that port of 127.0.0.1 until the end of the block."""
    identity = Identity()
    handler = type("Handler", (_Handler,), {"identity": identity})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    identity.origin = f"http://127.0.0.1:{port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield identity
    finally:
        server.shutdown()
        server.server_close()
