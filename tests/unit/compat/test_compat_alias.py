"""``import jupyterhub`` in the hub's process, tried in processes of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

INSTALL = "from perijove.compat import alias; alias.install()\n"


def run(script: str, *paths: Path) -> str:
    """What the script prints; fails with its errors."""
    lines = "".join(f"import sys; sys.path.append({str(path)!r})\n" for path in paths)
    done = subprocess.run(
        [sys.executable, "-c", lines + script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory with another jupyterhub distribution, and a plug-in of it."""
    package = tmp_path / "jupyterhub"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '5.0.0'\n")
    (package / "orm.py").write_text("Base = object\n")
    info = tmp_path / "jupyterhub-5.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jupyterhub\nVersion: 5.0.0\n")
    (info / "entry_points.txt").write_text(
        "[jupyterhub.authenticators]\ndummy = jupyterhub.auth:DummyAuthenticator\n"
    )
    return tmp_path


def test_ours_wins_over_an_installed_one_whose_metadata_stay(installed: Path) -> None:
    script = (
        INSTALL
        + "alias.install()\n"
        + "import jupyterhub, importlib.metadata as m\n"
        + "print(jupyterhub.__version__, jupyterhub.version_info[:3], m.version('jupyterhub'))\n"
        + "[point] = [p for p in m.entry_points(group='jupyterhub.authenticators')"
        + " if p.dist.name == 'jupyterhub']\n"
        + "from perijove.plugins.simple_auth import DummyAuthenticator\n"
        + "print(point.load() is DummyAuthenticator)\n"
    )
    assert run(script, installed).splitlines() == ["6.1.1 (6, 1, 1) 5.0.0", "True"]


def test_what_we_lack_is_missing_and_never_taken_from_the_other_one(installed: Path) -> None:
    script = (
        INSTALL
        + "import jupyterhub\n"
        + "try:\n    import jupyterhub.no_such_module\n"
        + "except ModuleNotFoundError as e: print(e.name)\n"
        + "print(jupyterhub.__path__)"
    )
    lines = run(script, installed).splitlines()
    assert lines[0] == "jupyterhub.no_such_module"
    assert str(installed) not in lines[1]


def test_it_refuses_to_start_after_the_other_one_was_imported(installed: Path) -> None:
    script = (
        "import jupyterhub\nfrom perijove.compat import alias\n"
        "try:\n    alias.install()\nexcept RuntimeError as e:\n    print(e)"
    )
    assert "was imported from" in run(script, installed)


def test_nothing_exists_twice() -> None:
    script = INSTALL + (
        "import importlib, pickle\n"
        "from jupyterhub.spawner import Spawner, SimpleLocalProcessSpawner\n"
        "import perijove.plugins.spawner as ours\n"
        "assert Spawner is ours.Spawner\n"
        "assert [c.__name__ for c in SimpleLocalProcessSpawner.__mro__[:3]] =="
        " ['SimpleLocalProcessSpawner', 'LocalProcessSpawner', 'Spawner']\n"
        "from jupyterhub.auth import PAMAuthenticator\n"
        "assert [c.__name__ for c in PAMAuthenticator.__mro__[:3]] =="
        " ['PAMAuthenticator', 'LocalAuthenticator', 'Authenticator']\n"
        "from jupyterhub.handlers import BaseHandler, default_handlers\n"
        "from jupyterhub.handlers.base import BaseHandler as B2\n"
        "from jupyterhub.handlers.pages import default_handlers as d2\n"
        "assert BaseHandler is B2 and default_handlers is d2\n"
        "from jupyterhub.apihandlers import default_handlers as d3\n"
        "from perijove.compat import api; assert d3 is api.default_handlers\n"
        "assert pickle.loads(pickle.dumps(Spawner)) is Spawner\n"
        "print('one')"
    )
    assert run(script) == "one"


# Everything that popular plug-ins import and that the hub offers today.
SURFACE = {
    "jupyterhub": "__version__ version_info dbutil orm",
    "jupyterhub._data": "DATA_FILES_PATH",
    "jupyterhub.apihandlers": "APIHandler default_handlers",
    "jupyterhub.apihandlers.base": "APIHandler PAGINATION_MEDIA_TYPE",
    "jupyterhub.apihandlers.users": "SpawnProgressAPIHandler",
    "jupyterhub.app": "JupyterHub app_log subdomain_hook_idna subdomain_hook_legacy",
    "jupyterhub.auth": (
        "Authenticator DummyAuthenticator LocalAuthenticator NullAuthenticator PAMAuthenticator"
    ),
    "jupyterhub.authenticators.shared": "SharedPasswordAuthenticator",
    "jupyterhub.crypto": "CryptKeeper EncryptionUnavailable InvalidToken encrypt decrypt",
    "jupyterhub.handlers": "BaseHandler LoginHandler LogoutHandler default_handlers",
    "jupyterhub.handlers.base": "BaseHandler",
    "jupyterhub.handlers.login": "LoginHandler LogoutHandler",
    "jupyterhub.handlers.pages": "HomeHandler SpawnHandler",
    "jupyterhub.handlers.static": "CacheControlStaticFilesHandler LogoHandler",
    "jupyterhub.log": "CoroutineLogFormatter _scrub_uri",
    "jupyterhub.metrics": (
        "PROXY_ADD_DURATION_SECONDS RUNNING_SERVERS SERVER_SPAWN_DURATION_SECONDS "
        "ServerPollStatus ServerSpawnFailureReason ServerSpawnStatus ServerStopStatus "
        "SERVER_POLL_DURATION_SECONDS SERVER_STOP_DURATION_SECONDS TOTAL_USERS LoginStatus"
    ),
    "jupyterhub.objects": "Hub Server",
    "jupyterhub.orm": (
        "APIToken Base Boolean Column DateTime ForeignKey Group Integer JSONDict Role Service "
        "Share Spawner Unicode User relationship new_session_factory"
    ),
    "jupyterhub.proxy": "ConfigurableHTTPProxy Proxy",
    "jupyterhub.roles": (
        "assign_default_roles create_role get_default_roles grant_role update_roles"
    ),
    "jupyterhub.scopes": "expand_scopes has_scope needs_scope",
    "jupyterhub.services.auth": (
        "HubAuth HubAuthenticated HubOAuth HubOAuthCallbackHandler HubOAuthenticated"
    ),
    "jupyterhub.singleuser": "main",
    "jupyterhub.singleuser.mixins": "make_singleuser_app",
    "jupyterhub.spawner": (
        "LocalProcessSpawner SimpleLocalProcessSpawner SpawnException Spawner _quote_safe "
        "set_user_setuid"
    ),
    "jupyterhub.tests.conftest": "app cleanup_after db io_loop ssl_tmpdir user username",
    "jupyterhub.tests.mocking": "MockHub MockSpawner public_url",
    "jupyterhub.tests.test_api": "add_user api_request",
    "jupyterhub.tests.utils": "add_user api_request async_requests public_host public_url",
    "jupyterhub.traitlets": "ByteSpecification Callable Command EntryPointType URLPrefix Unicode",
    "jupyterhub.user": "User UserDict",
    "jupyterhub.utils": (
        "AnyTimeoutError admin_only exponential_backoff fmt_ip_url get_browser_protocol "
        "isoformat iterate_until make_ssl_context maybe_future new_token random_port "
        "subdomain_hook_idna token_authenticated url_escape_path url_path_join utcnow "
        "wait_for_http_server wait_for_server"
    ),
}


def test_every_name_that_plugins_import_is_there() -> None:
    script = INSTALL + (
        "import importlib, json, sys\n"
        f"for module, names in {SURFACE!r}.items():\n"
        "    loaded = importlib.import_module(module)\n"
        "    for name in names.split():\n"
        "        if hasattr(loaded, name): continue\n"
        "        try: importlib.import_module(f'{module}.{name}')\n"
        "        except ImportError: print(module, name)\n"
    )
    assert run(script) == ""


# Members of the base classes that plug-ins call or read, beside those of tornado and traitlets.
MEMBERS = {
    "spawner:Spawner": (
        "_env_keep_default _generate_progress _log_name active add_poll_callback api_token args "
        "authenticator clear_state cmd config cpu_limit create_certs db debug delete_forever "
        "environment format_string get_args get_env get_options_form get_state handler hub "
        "hub_connect_url internal_certs_location ip load_state log mem_limit name oauth_client_id "
        "options_form options_from_form orm_spawner pending poll poll_and_notify poll_interval "
        "port proxy_spec ready rename run_post_stop_hook server ssl_alt_names "
        "ssl_alt_names_include_local start start_polling start_timeout stop stop_polling "
        "template_namespace user user_options will_resume"
    ),
    "spawner:LocalProcessSpawner": "make_preexec_fn pid popen_kwargs user_env _signal",
    "auth:Authenticator": (
        "add_user admin_users allow_all allow_existing_users allowed_users authenticate auto_login "
        "check_allowed check_blacklist check_blocked_users check_whitelist custom_html db "
        "delete_user enable_auth_state get_custom_html get_handlers login_service login_url "
        "logout_url manage_groups normalize_username pre_spawn_start refresh_user "
        "validate_username whitelist"
    ),
    "proxy:Proxy": (
        "add_route add_user check_routes delete_route delete_user get_all_routes get_route "
        "public_url should_start ssl_cert ssl_key start stop validate_routespec"
    ),
    "handlers:BaseHandler": (
        "_set_cookie _user_from_orm app append_query_parameters auth_to_user authenticator "
        "base_url clear_login_cookie config current_user db eventlog find_user get_auth_token "
        "get_current_user get_current_user_named_server_limit get_next_url get_session_cookie "
        "get_token has_scope hub log login_user prepare proxy render_template set_hub_cookie "
        "set_login_cookie settings spawn_single_user statsd stop_single_user user_from_username "
        "user_stopped users xsrf_token"
    ),
    "handlers:LoginHandler": "_render",
    "handlers:LogoutHandler": (
        "_backend_logout_cleanup _shutdown_servers default_handle_logout handle_logout "
        "render_logout_page"
    ),
    "handlers.pages:SpawnHandler": "_render_form",
    "apihandlers:APIHandler": (
        "allow_named_servers get_json_body group_model server_model service_model user_model"
    ),
    "apihandlers.users:SpawnProgressAPIHandler": "keepalive send_event",
    "app:JupyterHub": (
        "authenticator db hub initialized instance proxy session_factory tornado_settings users"
    ),
    "user:User": (
        "_delete_spawner active all_spawners get_auth_state get_or_create_spawner get_spawner "
        "groups orm_user progress_url running save_auth_state server server_url settings spawn "
        "spawner stop"
    ),
    "user:UserDict": "add delete get",
}


def test_every_member_that_plugins_use_is_there() -> None:
    script = INSTALL + (
        "import importlib\n"
        f"for place, names in {MEMBERS!r}.items():\n"
        "    module, _, name = place.partition(':')\n"
        "    kind = getattr(importlib.import_module(f'jupyterhub.{module}'), name)\n"
        "    for member in names.split():\n"
        "        if not hasattr(kind, member): print(place, member)\n"
    )
    assert run(script) == ""
