"""Pages, and lists of the API."""

from pathlib import Path
from typing import Any

from traitlets import Bunch, Dict, HasTraits, List, Unicode, Union, default, validate

from perijove.plugins.traits import Callable

WEB_ROOT = Path(__file__).parents[2] / "web"
"""Where the built-in templates and static files are."""


class PageOptions(HasTraits):
    """How pages look and where they lead."""

    data_files_path = Unicode(
        help="""The directory that holds `static/` and `templates/`.

        By default those that come with the hub.
        """,
    ).tag(config=True)

    template_paths: List[Any] = List(
        help="""Directories that are searched for templates before the built-in ones.

        A template of yours can extend the built-in one of the same name, as
        `templates/NAME.html`.
        """,
    ).tag(config=True)

    template_vars = Dict(
        help="""Further variables for templates.

        A callable is called with the user (None when nobody is signed in), and its
        result is used.
        """,
    ).tag(config=True)

    jinja_environment_options = Dict(
        help="""Further keyword arguments for the Jinja environment of templates.""",
    ).tag(config=True)

    logo_file = Unicode(
        help="""The picture in the corner of every page, and at `/hub/logo`.""",
    ).tag(config=True)

    default_url = Union(
        [Unicode(), Callable()],
        default_value="",
        help="""Where people land after signing in, and at `/`.

        A URL, or a callable `url(handler)` that returns one; when that is empty, people
        go to their server, or to the home page.
        """,
    ).tag(config=True)

    tornado_settings = Dict(
        help="""Settings known from hubs on tornado.

        In use: `headers` (added to every page), `cookie_options` and `xsrf_cookie_kwargs`
        (further attributes of cookies), `slow_spawn_timeout` and `slow_stop_timeout`
        (seconds that a request waits for a start or stop), `user_redirect_limit`,
        `no_cache_static` and `csp_report_uri`. Plug-ins' handlers see all of them.
        """,
    ).tag(config=True)

    @default("data_files_path")
    def _own_files(self) -> str:
        return str(WEB_ROOT)

    @default("template_paths")
    def _templates_of_data_files(self) -> list[str]:
        return [str(Path(str(self.data_files_path)) / "templates")]

    @default("logo_file")
    def _default_logo(self) -> str:
        given = Path(str(self.data_files_path)) / "static" / "images" / "jupyterhub-80.png"
        own = WEB_ROOT / "static" / "images" / given.name
        return str(given if given.is_file() else own)

    @validate("template_paths")
    def _one_path_is_a_list(self, proposal: Bunch) -> Any:
        return [str(path) for path in proposal.value]
