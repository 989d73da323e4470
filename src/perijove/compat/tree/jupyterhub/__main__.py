"""``python -m jupyterhub``"""

import sys

from perijove.cli import main

sys.exit(main())
