"""The pages as operators, plug-ins, scripts and people rely on them."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import ChoiceLoader, DictLoader, Environment

from perijove.web.pages.environment import (
    STATIC,
    TEMPLATES,
    StaticFiles,
    as_iso,
    as_time_element,
    build_environment,
    build_error_environment,
)

NAMES = sorted(path.name for path in TEMPLATES.glob("*.html"))
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
EVIL = "\"'><canary>&</script>{{7*7}}"
"""Text that must never become markup."""

BLOCKS = {
    "page.html": "title stylesheet favicon scripts meta nav_bar logo nav_bar_left_items service "
    "nav_bar_right_items theme_toggle login_widget header announcement main footer script",
    "login.html": "main login login_container username_input username_input_attrs password_input "
    "password_input_attrs otp_input otp_input_attrs login_terms login_terms_text login_widget "
    "script",
    "error.html": "main h1_error error_detail login_widget script",
    "404.html": "error_detail",
    "home.html": "main script",
    "spawn.html": "heading main script",
    "spawn_pending.html": "main message script",
    "stop_pending.html": "main message script",
    "not_running.html": "heading message start_button main script",
    "token.html": "main expiration_options token_row client_row script",
    "admin.html": "main footer",
    "oauth.html": "main login_widget",
    "accept-share.html": "main login_widget",
    "logout.html": "main",
}

IDS = {
    "login.html": "login-main username_input password_input otp_input login_submit",
    "home.html": "jupyterhub-logo login_widget logout start stop",
    "spawn.html": "spawn_form",
    "spawn_pending.html": "progress-bar progress-message progress-log",
    "not_running.html": "start",
    "token.html": "request-token-form token-note token-expiration-seconds token-scopes "
    "token-result",
    "admin.html": "react-admin-hook",
}

VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"]
)


class Page(HTMLParser):
    """Elements of a page in order, with the text inside; complains about bad nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.faults: list[str] = []
        self.script = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.faults.append(f"</{tag}> inside {self._open[-3:]}")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.script += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """Attributes of the elements that have these attributes."""
        return [
            found
            for name, found in self.elements
            if name == tag and attributes.items() <= found.items()
        ]

    @property
    def ids(self) -> Counter[str]:
        return Counter(found["id"] for _, found in self.elements if "id" in found)


class User(SimpleNamespace):
    """The ``user`` of templates."""

    def server_url(self, name: str = "") -> str:
        return f"/user/{self.escaped_name}/{name + '/' if name else ''}"


def server(name: str = "", **more: Any) -> SimpleNamespace:
    """A server as a row of the home page."""
    values = {"display_name": name, "ready": False, "pending": None, "last_activity": NOW}
    return SimpleNamespace(name=name, **{**values, **more})


def a_user(name: str = "ada") -> User:
    spawner = SimpleNamespace(options_form="")
    return User(name=name, escaped_name="ada", admin=False, url="/user/ada/", spawner=spawner)


def sample(text: str = "plain") -> dict[str, Any]:
    """Every variable of every template; texts that people or plug-ins choose say ``text``."""
    scopes = [{"scope": "read:users", "description": text, "filter": text}]
    token = SimpleNamespace(
        api_id="a7", note=text, scopes=[text], created=NOW, last_activity=None, expires_at=NOW
    )
    client = {
        "client": None,
        "description": text,
        "created": NOW,
        "last_activity": NOW,
        "tokens": [token],
        "token_id": "a8",
        "token_count": 2,
    }
    return {
        "base_url": "/hub/",
        "prefix": "/",
        "user": a_user(text),
        "login_url": "/hub/login",
        "logout_url": "/hub/logout",
        "login_service": "",
        "services": [{"name": text, "href": "/services/web/"}],
        "parsed_scopes": {"admin-ui": True, "list:users": True},
        "xsrf": text,
        "xsrf_token": text,
        "next": "/hub/home",
        "username": text,
        "login_error": text,
        "authenticator_login_url": "/hub/login?next=%2Fhub%2Fhome",
        "authenticator": SimpleNamespace(request_otp=True, otp_prompt=text),
        "login_term_url": "/terms",
        "url": "/hub/spawn/ada?_xsrf=x",
        "default_server": server(ready=True),
        "spawners": [server(text), server("lab", pending="spawn"), server("old", ready=True)],
        "allow_named_servers": True,
        "named_server_limit_per_user": 5,
        "invalid_server_names": {text},
        "for_user": SimpleNamespace(name="bob"),
        "spawner": server(text),
        "spawner_options_form": "<b>Pick</b>",
        "error_message": text,
        "progress_url": f"/hub/api/users/ada/server/progress?_xsrf={text}",
        "server_name": text,
        "spawn_url": "/hub/spawn/ada",
        "implicit_spawn_seconds": 2.5,
        "failed": True,
        "failed_message": text,
        "api_tokens": [token],
        "oauth_clients": [client],
        "token_expires_in_options_html": '<option value="3600">1 hour</option>',
        "token_expires_in_max_seconds": 0,
        "server_version": text,
        "api_page_limit": 50,
        "oauth_client": SimpleNamespace(description=text, redirect_uri=text, identifier=text),
        "allowed_scopes": ["read:users!user", text],
        "scope_descriptions": scopes,
        "code": text,
        "owner": SimpleNamespace(name=text),
        "spawner_ready": False,
        "spawner_url": text,
        "next_url": text,
        "status_code": 404,
        "status_message": "Not Found",
        "message": text,
        "confirm_heading": text,
        "confirm_message": text,
        "confirm_url": "/hub/logout",
        "confirm_label": text,
    }


@pytest.fixture
def static() -> StaticFiles:
    return StaticFiles("/hub/static/")


@pytest.fixture
def environment(static: StaticFiles) -> Environment:
    return build_environment([], static=static)


async def render(environment: Environment, name: str, **changes: Any) -> str:
    return await environment.get_template(name).render_async(**{**sample(), **changes})


# -- contracts with operators ---------------------------------------------


@pytest.mark.parametrize("name", BLOCKS)
def test_template_has_every_documented_block(environment: Environment, name: str) -> None:
    assert set(BLOCKS[name].split()) <= set(environment.get_template(name).blocks)


@pytest.mark.parametrize("name", NAMES)
async def test_each_block_may_be_overridden_with_super(
    environment: Environment, static: StaticFiles, name: str
) -> None:
    blocks = set(environment.get_template(name).blocks)
    blocks |= set(BLOCKS["page.html"].split()) if name != "page.html" else set()
    # Blocks inside a loop see its variable only where they stand, as documented.
    blocks -= {"service", "token_row", "client_row"}
    child = f'{{% extends "templates/{name}" %}}' + "".join(
        f"{{% block {block} %}}{{{{ super() }}}}{{% endblock %}}" for block in sorted(blocks)
    )
    environment.loader = ChoiceLoader([DictLoader({"child.html": child}), environment.loader])
    assert await render(environment, "child.html") == await render(environment, name)


async def test_scoped_blocks_see_the_variable_of_their_loop(environment: Environment) -> None:
    child = (
        '{% extends "templates/token.html" %}'
        "{% block token_row %}<td>mine {{ token.api_id }}</td>{% endblock %}"
        "{% block client_row %}<td>{{ super() }} mine {{ client.token_id }}</td>{% endblock %}"
        "{% block service %}<li>to {{ service.href }}</li>{% endblock %}"
    )
    environment.loader = ChoiceLoader([DictLoader({"token.html": child}), environment.loader])
    html = await render(environment, "token.html")
    assert "<td>mine a7</td>" in html
    assert "mine a8</td>" in html
    assert "<li>to /services/web/</li>" in html


async def test_template_paths_come_first_and_ours_stay_reachable(
    static: StaticFiles, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(
        '{% extends "templates/page.html" %}{% block footer %}our footer{% endblock %}'
    )
    (tmp_path / "503.html").write_text(
        '{% extends "error.html" %}{% block h1_error %}<h1>Back soon</h1>{% endblock %}'
    )
    environment = build_environment([str(tmp_path)], static=static)
    assert "our footer" in await render(environment, "logout.html")
    assert "our footer" not in await render(environment, "templates/page.html")
    chosen = environment.select_template(["503.html", "error.html"])
    html = await chosen.render_async(**sample())
    assert "Back soon" in html
    assert "our footer" in html


async def test_the_modal_macro_is_at_hand_in_blocks(environment: Environment) -> None:
    child = (
        '{% extends "page.html" %}{% block main %}'
        '{% call modal("Delete User", btn_class="btn-danger") %}<p>Sure?</p>{% endcall %}'
        '{% call modal("Shut Down", "Do it") %}{% endcall %}{% endblock %}'
    )
    environment.loader = ChoiceLoader([DictLoader({"child.html": child}), environment.loader])
    page = Page(html := await render(environment, "child.html"))
    assert page.ids["delete-user-dialog"] == page.ids["shut-down-dialog"] == 1
    assert page.all("button", **{"class": "btn btn-danger"})
    assert "<p>Sure?</p>" in html
    assert ">Do it</button>" in html


def test_macro_can_be_imported_too(environment: Environment) -> None:
    twin = build_error_environment(environment, static=StaticFiles("/hub/static/"))
    template = twin.from_string(
        '{% from "page.html" import modal with context %}{% call modal("Hi") %}x{% endcall %}'
    )
    assert 'id="hi-dialog"' in template.render(**sample())


async def test_options_of_the_operator_win(static: StaticFiles) -> None:
    environment = build_environment(
        [], options={"variable_start_string": "[[", "variable_end_string": "]]"}, static=static
    )
    assert await environment.from_string("[[ 6 * 7 ]]").render_async() == "42"


async def test_exchanged_loader_serves_pages_and_errors(
    environment: Environment, static: StaticFiles
) -> None:
    errors = build_error_environment(environment, static=static)
    before = errors.get_template("404.html").render(**{**sample(), "message": ""})
    assert "There is no page" in before
    environment.loader = ChoiceLoader(
        [DictLoader({"404.html": "gone", "extra.html": "extra"}), environment.loader]
    )
    assert await render(environment, "extra.html") == "extra"
    assert errors.get_template("404.html").render() == "gone"


async def test_error_pages_render_inside_a_running_loop(
    environment: Environment, static: StaticFiles
) -> None:
    errors = build_error_environment(environment, static=static)
    html = errors.get_template("error.html").render(
        **{**sample(), "user": None, "message": "", "message_html": "<b>broken</b>"}
    )
    assert "<b>broken</b>" in html


def test_error_page_needs_no_more_than_the_hub_always_knows(
    environment: Environment, static: StaticFiles
) -> None:
    errors = build_error_environment(environment, static=static)
    html = errors.get_template("error.html").render(
        base_url="/hub/", prefix="/", status_code=500, status_message="Internal Server Error"
    )
    assert "Internal Server Error" in html
    assert not Page(html).faults


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("login.html", "announcement_login"),
        ("home.html", "announcement_home"),
        ("spawn.html", "announcement_spawn"),
        ("spawn_pending.html", "announcement_spawn"),
        ("logout.html", "announcement_logout"),
    ],
)
async def test_announcement_of_a_page_replaces_the_general_one(
    environment: Environment, name: str, variable: str
) -> None:
    general = await render(environment, name, announcement="<i>all</i>")
    assert "<i>all</i>" in general
    special = await render(environment, name, announcement="<i>all</i>", **{variable: "<i>own</i>"})
    assert "<i>own</i>" in special
    assert "<i>all</i>" not in special
    assert "Announcement" not in await render(
        environment, name, announcement="<i>all</i>", **{variable: ""}
    )


# -- contracts with scripts and tests -------------------------------------


@pytest.mark.parametrize("name", IDS)
async def test_page_has_every_documented_id_once(environment: Environment, name: str) -> None:
    page = Page(await render(environment, name, failed=False))
    assert {ident: page.ids[ident] for ident in IDS[name].split()} == dict.fromkeys(
        IDS[name].split(), 1
    )


async def test_login_form_sends_the_documented_fields(environment: Environment) -> None:
    page = Page(await render(environment, "login.html", xsrf="the-token"))
    names = [found.get("name") for found in page.all("input")]
    assert {"username", "password", "otp", "_xsrf"} <= set(names)
    assert page.all("input", name="_xsrf", value="the-token", type="hidden")
    assert page.all("input", name="password", type="password")
    (form,) = page.all("form")
    assert form["method"] == "post"
    assert form["action"] == "/hub/login?next=%2Fhub%2Fhome"


async def test_login_asks_for_a_one_time_code_only_when_wanted(environment: Environment) -> None:
    html = await render(environment, "login.html", authenticator=SimpleNamespace(request_otp=False))
    assert "otp_input" not in html


async def test_login_with_a_service_is_one_link(environment: Environment) -> None:
    page = Page(await render(environment, "login.html", login_service="University"))
    assert page.all("a", href="/hub/login?next=%2Fhub%2Fhome")
    assert page.ids["login_terms_checkbox"] == 1
    assert not page.all("input", name="password")


async def test_custom_login_html_stands_as_it_is(environment: Environment) -> None:
    html = await render(environment, "login.html", custom_html="<form id='own'></form>")
    assert "<form id='own'></form>" in html
    assert "password_input" not in html


async def test_consent_sends_each_allowed_scope(environment: Environment) -> None:
    page = Page(await render(environment, "oauth.html", allowed_scopes=["a!user", "b"], xsrf="t"))
    assert [found["value"] for found in page.all("input", name="scopes")] == ["a!user", "b"]
    assert page.all("input", name="_xsrf", value="t")
    assert page.all("form", method="post", action="")


async def test_accepting_a_share_keeps_the_code_and_the_target(environment: Environment) -> None:
    page = Page(
        await render(environment, "accept-share.html", code="c0de", next_url="/user/x/?a=1&b=2")
    )
    assert page.all("input", name="code", value="c0de", type="hidden")
    (form,) = page.all("form")
    assert form["action"] == "/hub/accept-share?next=/user/x/%3Fa%3D1%26b%3D2"


async def test_options_form_is_inside_a_form_for_files_and_adds_no_field(
    environment: Environment,
) -> None:
    html = await render(environment, "spawn.html")
    page = Page(html)
    (form,) = page.all("form", id="spawn_form")
    assert form["enctype"] == "multipart/form-data"
    assert form["action"] == "/hub/spawn/ada?_xsrf=x"
    assert "<b>Pick</b>" in html
    assert not page.all("input"), "an input of ours would reach options_from_form"


@pytest.mark.parametrize("variable", ["error_html_message", "html_error_message"])
async def test_spawn_page_reads_both_names_of_the_html_error(
    environment: Environment, variable: str
) -> None:
    assert "<i>no</i>" in await render(environment, "spawn.html", **{variable: "<i>no</i>"})


async def test_page_data_is_complete_and_cannot_end_its_script(environment: Environment) -> None:
    page = Page(
        await render(environment, "page.html", user=a_user(EVIL), xsrf=EVIL, admin_access=True)
    )
    assert json.loads(page.script) == {
        "base_url": "/hub/",
        "prefix": "/",
        "user": EVIL,
        "admin_access": True,
        "options_form": False,
        "xsrf_token": EVIL,
    }


async def test_page_data_tells_of_an_options_form_unless_forbidden(
    environment: Environment,
) -> None:
    user = a_user()
    user.spawner = SimpleNamespace(options_form="<input>")
    assert json.loads(Page(await render(environment, "page.html", user=user)).script)[
        "options_form"
    ]
    forbidden = await render(environment, "page.html", user=user, no_spawner_check=True)
    assert not json.loads(Page(forbidden).script)["options_form"]


async def test_failed_start_is_not_repeated_by_itself(environment: Environment) -> None:
    failed = Page(await render(environment, "not_running.html", failed=True))
    assert failed.all("div", **{"data-implicit-spawn-seconds": "0"})
    stopped = Page(await render(environment, "not_running.html", failed=False))
    assert stopped.all("div", **{"data-implicit-spawn-seconds": "2.5"})


async def test_home_works_without_scripts(environment: Environment) -> None:
    page = Page(await render(environment, "home.html", url="/user/ada/"))
    assert page.all("a", id="start", href="/user/ada/")
    assert page.all("a", href="/hub/spawn-pending/ada/lab")
    assert page.all("a", href="/user/ada/old/")
    stopped = Page(await render(environment, "home.html", default_server=None, spawners=[]))
    assert stopped.all("a", id="start", href="/hub/spawn/ada?_xsrf=x")
    assert "hidden" in stopped.all("button", id="stop")[0]


async def test_server_with_a_slash_in_its_name_stays_one_path_segment(
    environment: Environment,
) -> None:
    html = await render(environment, "home.html", spawners=[server("a/b c")])
    assert 'data-spawn-url="/hub/spawn/ada/a%2Fb%20c"' in html


async def test_admin_page_tells_its_script_the_scopes(environment: Environment) -> None:
    page = Page(await render(environment, "admin.html", parsed_scopes={"list:users": True}))
    (hook,) = page.all("div", id="react-admin-hook")
    assert hook["data-scopes"].split() == ["list:users"]
    assert not page.all("a", href="/hub/admin")


async def test_signed_out_visitor_sees_no_menu_of_users(environment: Environment) -> None:
    page = Page(await render(environment, "page.html", user=None))
    assert not page.all("a", href="/hub/home")
    assert page.all("a", id="login")


# -- safety and quality of every page -------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_text_never_becomes_markup(environment: Environment, name: str) -> None:
    html = await environment.get_template(name).render_async(**sample(EVIL))
    assert "<canary" not in html
    assert "49" not in re.sub(r"[?&]v=\w+", "", html)
    page = Page(html)
    assert not page.faults
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]


@pytest.mark.parametrize("name", NAMES)
async def test_markup_is_well_nested_and_ids_are_unique(
    environment: Environment, name: str
) -> None:
    page = Page(await render(environment, name))
    assert page.faults == []
    assert [ident for ident, count in page.ids.items() if count > 1] == []


@pytest.mark.parametrize("name", NAMES)
async def test_page_can_be_used_by_keyboard_and_screen_reader(
    environment: Environment, name: str
) -> None:
    page = Page(await render(environment, name))
    assert page.all("html", lang="en")
    assert len(page.all("main", id="main-content")) == 1
    assert page.all("a", href="#main-content"), "a link past the menu"
    assert all("alt" in found for found in page.all("img"))
    labelled = {found["for"] for found in page.all("label") if "for" in found}
    assert labelled <= set(page.ids)
    for tag in ("input", "select", "textarea"):
        for found in page.all(tag):
            wrapped = found.get("type") in ("hidden", "checkbox")
            assert wrapped or found["id"] in labelled, found
    for _, found in page.elements:
        for attribute in ("aria-labelledby", "aria-describedby", "aria-controls"):
            assert set(found.get(attribute, "").split()) <= set(page.ids)
    headings = [tag for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert name == "page.html" or headings[0] == "h1"


@pytest.mark.parametrize("name", NAMES)
async def test_no_inline_script_or_style_so_that_a_strict_policy_fits(
    environment: Environment, name: str
) -> None:
    page = Page(await render(environment, name))
    for found in page.all("script"):
        assert "src" in found or found["type"] == "application/json"
    assert not page.all("style")
    assert not [found for _, found in page.elements if "style" in found]


@pytest.mark.parametrize("name", NAMES)
async def test_static_files_exist_and_nothing_comes_from_elsewhere(
    environment: Environment, static: StaticFiles, name: str
) -> None:
    page = Page(await render(environment, name))
    loaded = [found["src"] for tag, found in page.elements if "src" in found]
    loaded += [found["href"] for tag, found in page.elements if tag in ("link", "use")]
    assert loaded
    for address in loaded:
        if address == "/hub/logo":
            continue
        path, version = re.fullmatch(r"/hub/static/([\w./-]+)\?v=(\w+)(?:#\w+)?", address).groups()  # type: ignore[union-attr]
        assert version == static.version(path) != ""


# -- scripts and styles ---------------------------------------------------


def scripts() -> Iterator[tuple[Path, str]]:
    for path in sorted((STATIC / "js").glob("*.js")):
        yield path, path.read_text(encoding="utf-8")


def test_scripts_import_only_what_exists() -> None:
    for path, text in scripts():
        for names, target in re.findall(r"import \{([^}]*)\} from \"([^\"]+)\"", text):
            module = (path.parent / target).read_text(encoding="utf-8")
            for name in (part.split(" as ")[0].strip() for part in names.split(",")):
                pattern = rf"export (?:async )?(?:function\*?|class|const) {name}\b"
                assert re.search(pattern, module), f"{path.name}: {name} of {target}"


def test_ids_that_scripts_look_up_stand_in_some_template() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.html"))
    for path, text in scripts():
        for ident in re.findall(r"getElementById\(\"([\w-]+)\"\)", text):
            assert f'id="{ident}"' in templates, f"{path.name}: {ident}"


def test_scripts_put_foreign_text_into_the_page_only_as_text() -> None:
    for path, text in scripts():
        writes = re.findall(r"\.(innerHTML|outerHTML)\s*=|insertAdjacentHTML|document\.write", text)
        assert not writes, path.name


def test_amd_names_lead_to_modules() -> None:
    text = (STATIC / "js" / "amd.js").read_text(encoding="utf-8")
    modules = dict(re.findall(r"^    (\w+): \"([\w-]+\.js)\"", text, re.MULTILINE))
    assert {"jhapi", "utils", "home", "token", "not_running"} <= set(modules)
    assert all((STATIC / "js" / file).is_file() for file in modules.values())


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_contrast_as_wcag_aa_asks(theme: int) -> None:
    css = (STATIC / "css" / "perijove.css").read_text(encoding="utf-8")
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", css)
    colours = {name: pair[theme] for name, *pair in found}
    grounds = {
        "text": "bg surface sunken good-soft warn-soft bad-soft note-soft accent-soft",
        "muted": "bg surface sunken",
        "accent": "bg surface sunken accent-soft warn-soft bad-soft note-soft",
        "accent-hover": "bg surface",
        "on-accent": "accent accent-hover",
        "on-bad": "bad bad-hover",
        "good": "surface good-soft",
        "warn": "surface warn-soft",
        "bad": "surface bg sunken bad-soft",
    }
    for front, backs in grounds.items():
        for back in backs.split():
            assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)
    # WCAG 1.4.11: the border is what shows where a field is.
    assert _contrast(colours["field-border"], colours["surface"]) >= 3


# -- static files ---------------------------------------------------------


def test_version_changes_with_the_contents_and_only_with_them(tmp_path: Path) -> None:
    file = tmp_path / "a.css"
    file.write_text("one")
    static = StaticFiles("/hub/static", [tmp_path])
    first = static.url("a.css")
    assert re.fullmatch(r"/hub/static/a\.css\?v=[0-9a-f]{16}", first)
    assert StaticFiles("/hub/static/", [tmp_path]).url("a.css") == first
    before = static.version_of_all()
    file.write_text("longer")
    assert static.url("a.css") != first
    assert StaticFiles("/hub/static/", [tmp_path]).version_of_all() != before
    assert static.url("a.css", include_version=False) == "/hub/static/a.css"


def test_file_that_is_not_there_gets_a_plain_address(tmp_path: Path) -> None:
    assert StaticFiles("/s/", [tmp_path]).url("no such.png") == "/s/no%20such.png"


def test_operators_folder_replaces_single_files(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    own = tmp_path / "images" / "favicon.svg"
    own.write_text("<svg/>")
    static = StaticFiles("/s/", [tmp_path, STATIC])
    assert static.locate("images/favicon.svg") == own.resolve()
    assert static.locate("css/perijove.css") == STATIC / "css" / "perijove.css"


@pytest.mark.parametrize("path", ["../secret", "/../secret", "a/../../secret", "", "a", "x\0y"])
def test_nothing_outside_the_folder_is_found(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("s")
    inside = tmp_path / "static"
    (inside / "a").mkdir(parents=True)
    (inside / "link").symlink_to(tmp_path / "secret")
    static = StaticFiles("/s/", [inside])
    assert static.locate(path) is None
    assert static.locate("link") is None


def test_default_logo_and_icon_are_there() -> None:
    assert (STATIC / "images" / "jupyterhub-80.png").read_bytes().startswith(b"\x89PNG")
    assert (STATIC / "favicon.ico").read_bytes().startswith(b"\0\0\1\0")


# -- times ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (NOW, "2026-11-25T12:00:00Z"),
        (NOW.replace(tzinfo=None), "2026-11-25T12:00:00Z"),
        (datetime.fromisoformat("2026-11-25T14:00:00+02:00"), "2026-11-25T12:00:00Z"),
        ("2026-11-25T12:00:00Z", "2026-11-25T12:00:00Z"),
        (None, ""),
    ],
)
def test_times_are_written_in_utc(moment: Any, expected: str) -> None:
    assert as_iso(moment) == expected


def test_time_element_is_readable_without_scripts_and_escapes() -> None:
    assert as_time_element(NOW + timedelta(minutes=5)) == (
        '<time datetime="2026-11-25T12:05:00Z">2026-11-25 12:05 UTC</time>'
    )
    assert as_time_element(None) == "never"
    assert "<canary" not in as_time_element(EVIL)
