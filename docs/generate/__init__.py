"""Pages and pictures made from the code, so that they cannot contradict it.

``write_all`` is called by ``conf.py`` before each build. One module per subject:
``lifecycle`` draws the states of a server from ``perijove.servers.lifecycle``,
``configuration`` lists every option of the classes that configuration files
name, ``command_line`` records what the commands say about themselves, ``client``
lists the methods of the client, ``hubauth`` those of the library for services.
"""

from pathlib import Path

from . import client, command_line, configuration, hubauth, lifecycle


def _write(path: Path, text: str) -> None:
    """Write only what changed, so that Sphinx rebuilds only that."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def write_all(pages: Path, pictures: Path) -> None:
    """Make the folders and everything in them."""
    pages.mkdir(exist_ok=True)
    pictures.mkdir(parents=True, exist_ok=True)
    _write(pages / "server-moves.md", lifecycle.tables())
    _write(pictures / "server-life.svg", lifecycle.drawing())
    _write(pages / "configuration.md", configuration.page())
    _write(pages / "command-line.md", command_line.page())
    _write(pages / "client.md", client.page())
    _write(pages / "hubauth.md", hubauth.page())
