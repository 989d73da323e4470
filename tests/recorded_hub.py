#!/usr/bin/env python3
"""``perijove`` that writes down what its REST API is asked and answers.

    PERIJOVE_TEST_EXCHANGES=FOLDER python tests/recorded_hub.py [arguments of perijove]

Each exchange becomes a line of JSON in a file of this process in FOLDER, complete
even when the hub is killed; ``check_exchanges.py`` holds them against the document.
"""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from perijove.cli import main
from perijove.web.asgi import HubApplication

FOLDER = Path(os.environ["PERIJOVE_TEST_EXCHANGES"])
LINES = (FOLDER / f"{os.getpid()}-{os.urandom(4).hex()}.jsonl").open("a", encoding="ascii")

answer = HubApplication.__call__


async def answer_and_record(self: HubApplication, scope: Any, receive: Any, send: Any) -> None:
    """Answer like the hub, and write a line for a request below the API."""
    raw: bytes = scope.get("raw_path") or b""
    prefix = f"{self._hub_prefix}api"
    path = raw.partition(b"?")[0].decode("latin-1")
    if scope["type"] != "http" or not (path == prefix or path.startswith(f"{prefix}/")):
        await answer(self, scope, receive, send)
        return
    sent, said, body = [], {}, []

    async def note_received() -> Any:
        message = await receive()
        sent.append(message.get("body", b""))
        return message

    async def note_sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            said.update(message)
        else:
            body.append(message.get("body", b""))
        await send(message)

    try:
        await answer(self, scope, note_received, note_sent)
    finally:
        if said:
            headers = {
                key.decode("latin-1"): value.decode("latin-1") for key, value in said["headers"]
            }
            line = {
                "method": scope["method"],
                "path": path[len(prefix) :],
                "query": scope["query_string"].decode("latin-1"),
                "sent": base64.b64encode(b"".join(sent)).decode(),
                "status": said["status"],
                "headers": headers,
                "body": base64.b64encode(b"".join(body)).decode(),
            }
            LINES.write(json.dumps(line) + "\n")
            LINES.flush()


if __name__ == "__main__":
    HubApplication.__call__ = answer_and_record  # type: ignore[method-assign]
    sys.exit(main())
