"""The package that plug-ins import as ``jupyterhub``, in the hub's process only.

Each module re-exports our own classes under the name that plug-ins know. A
name or module that is missing here is one that the hub does not offer.
"""

from perijove import INTERFACE_VERSION

__version__ = INTERFACE_VERSION
version_info = (*(int(part) for part in INTERFACE_VERSION.split(".")), "", "")
