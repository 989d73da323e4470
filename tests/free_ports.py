"""Ports for servers that tests start: never a fixed one, since workers run side by side."""

import os
import random
import socket

FIRST, LAST = 20000, 31999
"""Below the range that the kernel takes clients' ports from, which come and go all the time."""

_random = random.Random(os.urandom(8))
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now, all different, none given out before."""
    ports: list[int] = []
    for port in _random.sample(range(FIRST, LAST + 1), LAST - FIRST + 1):
        if len(ports) == count:
            return ports
        if port in _given:
            continue
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        _given.add(port)
        ports.append(port)
    raise RuntimeError(f"no {count} free ports from {FIRST} to {LAST}")
