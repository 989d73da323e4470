"""A class on one rented machine: GitHub accounts on a list, teachers are administrators."""

import os
from pathlib import Path

from oauthenticator.github import GitHubOAuthenticator

c = get_config()  # noqa: F821

pjoin = os.path.join
runtime_dir = pjoin("/srv", "class")

c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.port = 8000
c.JupyterHub.hub_port = 8089
c.JupyterHub.cookie_secret_file = pjoin(runtime_dir, "cookie_secret")
c.JupyterHub.db_url = "sqlite:///" + pjoin(runtime_dir, "jupyterhub.sqlite")
c.JupyterHub.log_level = "INFO"
c.JupyterHub.extra_log_file = os.environ.get("CLASS_LOG", "")

c.JupyterHub.authenticator_class = GitHubOAuthenticator
c.GitHubOAuthenticator.oauth_callback_url = "https://class.example.org/hub/oauth_callback"
c.GitHubOAuthenticator.client_id = os.environ.get("GITHUB_CLIENT_ID", "made-up-id")
c.GitHubOAuthenticator.client_secret = os.environ.get("GITHUB_CLIENT_SECRET", "made-up-secret")
c.GitHubOAuthenticator.scope = ["read:user", "user:email", "read:org"]
c.GitHubOAuthenticator.allowed_organizations = {"numerics-101", "numerics-101:helpers"}
c.GitHubOAuthenticator.populate_teams_in_auth_state = True
c.OAuthenticator.allow_existing_users = True
c.Authenticator.enable_auth_state = True
c.CryptKeeper.keys = [bytes(range(32))]

# One name a line; "admin" behind it makes a teacher of somebody.
allowed, admins = set(), set()
roster = Path(__file__).with_name("github_class_roster.txt")
for line in roster.read_text().splitlines():
    parts = line.split()
    if parts and not line.startswith("#"):
        allowed.add(parts[0])
        if "admin" in parts[1:]:
            admins.add(parts[0])
c.Authenticator.allowed_users = allowed
c.Authenticator.admin_users = admins
c.Authenticator.username_map = {"octo-ada": "ada"}


async def hand_over_token(spawner, auth_state):
    """Let people push without typing a password."""
    if auth_state:
        spawner.environment["GITHUB_TOKEN"] = auth_state["access_token"]
        spawner.environment["GIT_AUTHOR_NAME"] = auth_state["github_user"].get("name") or ""


c.Spawner.auth_state_hook = hand_over_token
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.LocalProcessSpawner.popen_kwargs = {"umask": 0o027}
c.Spawner.notebook_dir = "~/course"
c.Spawner.args = ["--NotebookApp.default_url=/lab/tree/welcome.ipynb", "--debug"]
c.Spawner.cmd = ["jupyter-labhub"]
c.Spawner.mem_limit = "2G"
c.LocalAuthenticator.create_system_users = True
c.JupyterHub.default_url = "/hub/home"
