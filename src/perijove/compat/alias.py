"""``import jupyterhub`` means our package, in this process.

Plug-ins are written against the package ``jupyterhub``. A directory beside this
module holds a package of exactly that name, and a finder in front of all others
answers for that one name; sub-modules follow through ``jupyterhub.__path__`` by
the stock machinery, so nothing is imported twice under two names.

It wins over an installed jupyterhub distribution, whose metadata (which
plug-ins require) stay visible. Children of the hub get the installed one.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

NAME = "jupyterhub"
TREE = Path(__file__).with_name("tree")


class _Finder:
    """Finds the top-level name in our tree, and nothing else."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's spec for our one name, else None: the others are asked."""
        return PathFinder.find_spec(name, [str(TREE)]) if name == NAME else None


def install() -> None:
    """Put the finder in place. Safe to call twice.

    Raises RuntimeError when another jupyterhub was imported before: two
    packages of one name must not be mixed.
    """
    if any(finder is _Finder for finder in sys.meta_path):
        return
    present = sys.modules.get(NAME)
    if present is not None:
        raise RuntimeError(
            f"the package {NAME} was imported from {getattr(present, '__file__', 'elsewhere')} "
            "before the hub could take its place"
        )
    sys.meta_path.insert(0, _Finder)
