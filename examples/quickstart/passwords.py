"""Passwords of the quick start: made at the first run, kept in data/passwords.json.

The hub listens on this machine only, but other people may have accounts here,
so no password is published with the example. ``python passwords.py`` shows them.
"""

import json
import secrets
from pathlib import Path

FILE = Path(__file__).resolve().parent / "data" / "passwords.json"
# Letters that cannot be mistaken for one another.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def make(groups: int) -> str:
    """A password of that many groups of four letters and digits (20 bits each)."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(groups))


def load() -> dict[str, str]:
    """The passwords ``user`` and ``admin``."""
    if not FILE.exists():
        FILE.parent.mkdir(exist_ok=True)
        FILE.touch(mode=0o600)
        FILE.write_text(json.dumps({"user": make(3), "admin": make(7)}))
    passwords: dict[str, str] = json.loads(FILE.read_text())
    return passwords


if __name__ == "__main__":
    for who, password in load().items():
        print(who, password)
