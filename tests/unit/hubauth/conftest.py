"""The fake hub, for tests of the tornado face."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "singleuser_harness"))
