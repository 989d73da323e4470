"""A service for a hub: one note for each person, by page, by API and live.

The middleware lets nobody in whom the hub does not admit, sends browsers to
sign in, and refuses forged requests; the pages only ask who is there.
"""

from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, RedirectResponse

from perijove.hubauth.asgi import HubAuthMiddleware
from perijove.hubauth.gate import HubGate
from perijove.hubauth.starlette import current_user, xsrf_token

gate = HubGate(public=["health"])
prefix = gate.base_url
notes: dict[str, str] = {}

pages = APIRouter(prefix=prefix.rstrip("/"))
User = Annotated[dict[str, Any], Depends(current_user)]


@pages.get("/", response_class=HTMLResponse)
def show(user: User, proof: Annotated[str, Depends(xsrf_token)]) -> str:
    """The person's note, and a form to change it."""
    name = escape(user["name"])
    return f"""<!doctype html>
<title>Notes</title>
<h1>Notes of {name}</h1>
<form method="post" action="{prefix}note">
  <input type="hidden" name="_xsrf" value="{proof}">
  <label>Note <input name="text" value="{escape(notes.get(user["name"], ""))}"></label>
  <button>Keep</button>
</form>
<p><a href="{prefix}logout">Sign out</a></p>
"""


@pages.post("/note")
def keep(user: User, text: Annotated[str, Form(max_length=200)]) -> RedirectResponse:
    """Take a new note."""
    notes[user["name"]] = text
    return RedirectResponse(prefix, status_code=303)


@pages.get("/api/note")
def read(user: User) -> dict[str, str]:
    """The note for programs, which send a token: ``Authorization: token ...``."""
    return {"name": user["name"], "text": notes.get(user["name"], "")}


@pages.websocket("/live")
async def live(socket: WebSocket, user: User) -> None:
    """Says who is there and answers each message with the note."""
    await socket.accept()
    await socket.send_text(user["name"])
    try:
        while True:
            await socket.receive_text()
            await socket.send_text(notes.get(user["name"], ""))
    except WebSocketDisconnect:
        return


@pages.get("/health")
def health() -> dict[str, str]:
    """Open to everybody: whether the service runs."""
    return {"status": "ok"}


app = FastAPI(title="Notes", openapi_url=f"{prefix}openapi.json", docs_url=None, redoc_url=None)
app.add_middleware(HubAuthMiddleware, gate=gate)
app.include_router(pages)
