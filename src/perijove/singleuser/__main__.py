"""``python -m perijove.singleuser`` is ``perijove singleuser``."""

import sys

from perijove.singleuser.app import main

if __name__ == "__main__":
    sys.exit(main())
