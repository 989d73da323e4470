"""``python -m jupyterhub.singleuser``"""

import sys

from . import main

sys.exit(main())
