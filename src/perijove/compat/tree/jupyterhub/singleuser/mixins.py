"""Applications of Jupyter servers as people's servers."""

from perijove.compat.singleuser import make_singleuser_app
