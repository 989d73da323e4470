"""Sphinx configuration. The reference pages that describe code are written from it first."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

from generate import write_all  # noqa: E402  (beside this file)

import perijove  # noqa: E402

project = "Perijove"
author = "The Perijove developers"
project_copyright = "The Perijove developers"
version = release = perijove.__version__

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_generated", "generate"]
myst_enable_extensions = ["deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = f"Perijove {version}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navigation_with_keys": False,
}
copybutton_prompt_text = r"\$ |# "
copybutton_prompt_is_regexp = True


def setup(app: Sphinx) -> None:
    """Write the generated pages before Sphinx looks for sources."""
    write_all(HERE / "_generated", HERE / "_static" / "_generated")
