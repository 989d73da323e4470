"""People sign up with a password of their own; an administrator lets them in."""

import os
import pathlib

import nativeauthenticator

c = get_config()  # noqa: F821

c.JupyterHub.authenticator_class = "native"
c.JupyterHub.template_paths = [f"{os.path.dirname(nativeauthenticator.__file__)}/templates/"]
c.NativeAuthenticator.open_signup = False
c.NativeAuthenticator.minimum_password_length = 10
c.NativeAuthenticator.check_common_password = True
c.NativeAuthenticator.ask_email_on_signup = True
c.NativeAuthenticator.allow_2fa = True
c.NativeAuthenticator.allowed_failed_logins = 3
c.NativeAuthenticator.seconds_before_next_try = 120
c.NativeAuthenticator.tos = 'I agree with the <a href="/terms.html" target="_blank">terms</a>.'
c.Authenticator.admin_users = {"ada"}
c.Authenticator.allow_all = True
c.Authenticator.any_allow_config = True

ROOMS = pathlib.Path("/srv/rooms")


def make_room(spawner):
    """A directory for the person, and one for each of their groups."""
    for name in [spawner.user.name, *(group.name for group in spawner.user.groups)]:
        (ROOMS / name).mkdir(mode=0o2770, parents=True, exist_ok=True)


c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(ROOMS / "{username}")
c.Spawner.pre_spawn_hook = make_room
c.Spawner.default_url = "/tree"
