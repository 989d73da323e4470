"""What the hub's configuration tells the launcher, through the environment."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent
ENVIRONMENTS = EXAMPLE / "environments"
IMAGES = Path(os.environ.get("LAUNCHER_DATA", EXAMPLE / "data")) / "images"

IDLE_S = float(os.environ.get("LAUNCHER_IDLE_S", "600"))
"""Without use for so many seconds, a session ends."""
MAX_AGE_S = float(os.environ.get("LAUNCHER_MAX_AGE_S", "14400"))
"""A session ends after so many seconds in any case."""

VISITOR = "visitor-"
"""How the names of temporary users begin; nobody else is culled."""
