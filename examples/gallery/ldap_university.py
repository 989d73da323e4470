"""A campus hub: people of the LDAP directory, on one large machine, with limits by department."""

import os
import pwd
import subprocess
import sys

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://127.0.0.1:8000/jupyter/"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.cookie_secret_file = "/srv/jupyterhub/cookie_secret"
c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/jupyterhub.sqlite"
c.JupyterHub.cleanup_servers = False

# -- who ------------------------------------------------------------------
c.JupyterHub.authenticator_class = "ldapauthenticator.LDAPAuthenticator"
c.LDAPAuthenticator.server_address = "ldap.campus.example"
c.LDAPAuthenticator.server_port = 636
c.LDAPAuthenticator.tls_strategy = "on_connect"
c.LDAPAuthenticator.tls_kwargs = {"ca_certs_file": "/etc/ssl/certs/campus-ca.pem"}
c.LDAPAuthenticator.lookup_dn = True
c.LDAPAuthenticator.lookup_dn_search_filter = "({login_attr}={login})"
c.LDAPAuthenticator.lookup_dn_search_user = "cn=hub,ou=services,dc=campus,dc=example"
c.LDAPAuthenticator.lookup_dn_search_password = os.environ.get("LDAP_PASSWORD", "")
c.LDAPAuthenticator.lookup_dn_user_dn_attribute = "cn"
c.LDAPAuthenticator.user_search_base = "ou=people,dc=campus,dc=example"
c.LDAPAuthenticator.user_attribute = "uid"
c.LDAPAuthenticator.bind_dn_template = ["uid={username},ou=people,dc=campus,dc=example"]
c.LDAPAuthenticator.allowed_groups = [
    "cn=staff,ou=groups,dc=campus,dc=example",
    "cn=students,ou=groups,dc=campus,dc=example",
]
c.LDAPAuthenticator.admin_users = {"it-ada", "it-brook"}
c.LDAPAuthenticator.group_search_filter = "(|(member={userdn})(memberUid={uid}))"
c.LDAPAuthenticator.group_attributes = ["member", "memberUid"]
c.LDAPAuthenticator.auth_state_attributes = ["uidNumber", "gidNumber", "department"]
c.LDAPAuthenticator.username_pattern = "[a-z][a-z0-9-]{2,15}"
c.Authenticator.blocked_users = {"guest", "nobody"}
c.Authenticator.enable_auth_state = True
c.Authenticator.delete_invalid_users = False
c.CryptKeeper.keys = [os.environ["JUPYTERHUB_CRYPT_KEY"]]

# -- what -----------------------------------------------------------------
MEMORY = {"physics": "16G", "chemistry": "16G", "library": "2G"}


def make_home(spawner):
    """A home directory at the first start, as the login nodes make it."""
    name = spawner.user.name
    try:
        home = pwd.getpwnam(name).pw_dir
    except KeyError:
        raise RuntimeError(f"{name} has no account on this machine") from None
    if not os.path.isdir(home):
        subprocess.run(["/usr/sbin/mkhomedir_helper", name], check=True, timeout=30)


def limits_of_department(spawner, auth_state):
    """Memory by the person's department."""
    attributes = (auth_state or {}).get("user_attributes", {})
    department = (attributes.get("department") or [""])[0].lower()
    spawner.mem_limit = MEMORY.get(department, "4G")
    spawner.environment["DEPARTMENT"] = department


c.Spawner.pre_spawn_hook = make_home
c.Spawner.auth_state_hook = limits_of_department
c.Spawner.notebook_dir = "~"
c.Spawner.default_url = "/lab"
c.Spawner.cpu_limit = 4
c.Spawner.args = ["--ServerApp.max_body_size=1073741824"]
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL", "KRB5CCNAME"]
c.Spawner.environment = {"OMP_NUM_THREADS": "4", "LICENSE_SERVER": "27000@license.campus.example"}
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 60
c.JupyterHub.concurrent_spawn_limit = 20
c.JupyterHub.active_server_limit = 150

c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    },
    {
        "name": "helpdesk",
        "description": "May look at and stop everybody's servers",
        "scopes": ["admin-ui", "list:users", "read:servers", "delete:servers"],
        "users": ["helpdesk1", "helpdesk2"],
    },
]
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=7200"],
    }
]
c.JupyterHub.template_vars = {"announcement_login": "Maintenance each first Monday, 6 to 8."}
c.JupyterHub.shutdown_on_logout = False
