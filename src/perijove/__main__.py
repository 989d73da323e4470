"""``python -m perijove``: the same as the command ``perijove``."""

import sys

from perijove.cli import main

if __name__ == "__main__":
    sys.exit(main())
