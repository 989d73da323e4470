"""One machine, its own users, and a hub without root: sudospawner starts their servers."""

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.spawner_class = "sudospawner.SudoSpawner"
c.SudoSpawner.sudospawner_path = "/opt/hub/bin/sudospawner"
c.SudoSpawner.sudo_args = ["-nH"]
c.Spawner.cmd = "/opt/hub/bin/jupyterhub-singleuser"
c.Spawner.notebook_dir = "~/notebooks"
c.Spawner.default_url = "/lab"
c.Spawner.disable_user_config = True

c.JupyterHub.authenticator_class = "jupyterhub.auth.PAMAuthenticator"
c.PAMAuthenticator.encoding = "utf8"
c.PAMAuthenticator.check_account = True
c.LocalAuthenticator.allowed_groups = {"lab"}
c.Authenticator.admin_users = {"ada"}
c.JupyterHub.cookie_max_age_days = 2
c.JupyterHub.shutdown_on_logout = True
