"""A FastAPI service on upstream's HubOAuth: a bearer token for programs, a cookie for browsers."""

import os
from typing import Annotated, Any
from urllib.parse import urlparse

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from jupyterhub.services.auth import HubOAuth

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
auth = HubOAuth.instance()
router = APIRouter(prefix=PREFIX.rstrip("/"))
bearer = HTTPBearer(auto_error=False)
cookie = APIKeyCookie(name="fastapi-token", auto_error=False)


async def current_user(
    by_header: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    by_cookie: Annotated[str | None, Depends(cookie)],
) -> dict[str, Any]:
    token = by_header.credentials if by_header else by_cookie
    if token is None:
        raise HTTPException(401, "sign in first")
    user = await auth.user_for_token(token, sync=False)
    if user is None:
        raise HTTPException(401, "the hub does not know this token")
    if not auth.check_scopes(auth.access_scopes, user):
        raise HTTPException(403, "not for you")
    return user


@router.get("/")
async def start():
    verifier, challenge, method = auth.generate_pkce_code_challenge()
    state = auth.generate_state(next_url=PREFIX + "me", code_verifier=verifier)
    url = (
        f"{auth.login_url}&state={state}&code_challenge={challenge}&code_challenge_method={method}"
    )
    response = RedirectResponse(url)
    response.set_cookie(auth.state_cookie_name, state, path=PREFIX, httponly=True)
    return response


@router.get("/oauth_callback")
async def oauth_callback(code: str, state: str, request: Request):
    if request.cookies.get(auth.state_cookie_name) != state:
        raise HTTPException(403, "begun in another browser")
    verifier = auth.get_code_verifier(state)
    token = await auth.token_for_code(code, code_verifier=verifier, sync=False)
    response = RedirectResponse(auth.get_next_url(state))
    response.set_cookie("fastapi-token", token, path=PREFIX, httponly=True)
    return response


@router.get("/me")
async def me(user: Annotated[dict[str, Any], Depends(current_user)]):
    return user


app = FastAPI()
app.include_router(router)

if __name__ == "__main__":
    url = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    uvicorn.run(app, host=url.hostname, port=url.port)
