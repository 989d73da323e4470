"""Where templates and static files are."""

from pathlib import Path

import perijove.web

DATA_FILES_PATH = str(Path(perijove.web.__file__).parent)
