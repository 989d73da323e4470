"""Import this first, and ``import jupyterhub`` means Perijove in this process.

For test suites of plug-ins (``pytest -p perijove_alias``) and other programs that are written
against JupyterHub's package; the hub itself needs no such import.
"""

from perijove.compat.alias import install

install()
