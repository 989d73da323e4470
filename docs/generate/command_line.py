"""What the commands say about themselves when asked for help."""

import os
import subprocess
import sys
from pathlib import Path

COMMANDS = ("", "proxy", "singleuser")


def page() -> str:
    """A section a command, with its help text."""
    perijove = Path(sys.executable).with_name("perijove")
    # Help texts are folded to the width of the terminal; pages have none.
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    parts: list[str] = []
    for command in COMMANDS:
        words = [str(perijove), *command.split(), "--help"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
        parts.append(f"## `{f'perijove {command}'.strip()}`\n")
        parts.append(f"```text\n{done.stdout.strip()}\n```\n")
    return "\n".join(parts)
