"""A single-user server that trusts its own token alone, as those of temporary users do.

It imports next to nothing, so that hundreds of them start while a test waits. The token
is ``NOTEBOOK_TOKEN`` of the environment and comes as ``?token=``, in the
Authorization header, or in the cookie that an arrival with ``?token=`` sets.
"""

import os
import signal
import socket

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
TOKEN = os.environ["NOTEBOOK_TOKEN"]


def answer(head: str) -> str:
    """The answer to a request's head."""
    lines = head.split("\r\n")
    path, _, query = lines[0].split(" ")[1].partition("?")
    shown = [part[6:] for part in query.split("&") if part.startswith("token=")]
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "authorization":
            shown.append(value.split()[-1])
        elif name.lower() == "cookie":
            shown += [part.split("=", 1)[1] for part in value.split(";") if "=" in part]
    if path == f"{PREFIX}api":
        return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    if TOKEN not in shown:
        return "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    body = f"{os.environ['JUPYTERHUB_USER']} {os.environ.get('IMAGE', '')}"
    cookie = f"Set-Cookie: arrived={TOKEN}; Path={PREFIX}; HttpOnly\r\n"
    return f"HTTP/1.1 200 OK\r\n{cookie}Content-Length: {len(body)}\r\n\r\n{body}"


def main() -> None:
    """Answer one request after the other; each connection takes one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    address = os.environ["JUPYTERHUB_SERVICE_URL"].split("/")[2]
    listener = socket.create_server((address.rpartition(":")[0], int(address.rpartition(":")[2])))
    while True:
        connection, _ = listener.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                break
            head += piece
        else:
            reply = answer(head.decode("latin-1")).replace("\r\n", "\r\nConnection: close\r\n", 1)
            connection.sendall(reply.encode("latin-1"))
        connection.close()


if __name__ == "__main__":
    main()
