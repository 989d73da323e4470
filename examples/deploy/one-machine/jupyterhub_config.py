"""One machine and its own users: PAM signs them in, systemd runs their servers with limits."""

c = get_config()  # noqa: F821

# People come through the web server in front (docs: Serve over HTTPS).
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.public_url = "https://hub.example.org/"
c.JupyterHub.hub_ip = "127.0.0.1"

# What the hub keeps; the unit gives it this folder.
c.JupyterHub.db_url = "sqlite:////var/lib/perijove/perijove.sqlite"
c.JupyterHub.cookie_secret_file = "/var/lib/perijove/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = "/run/perijove/proxy.pid"

# Servers are units of their own: they go on while the hub restarts.
c.JupyterHub.cleanup_servers = False

c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.open_sessions = False
c.LocalAuthenticator.allowed_groups = {"jupyter"}
c.PAMAuthenticator.admin_groups = {"sudo"}

c.JupyterHub.spawner_class = "systemd"
c.Spawner.cmd = ["/opt/notebooks/bin/jupyterhub-singleuser"]
c.Spawner.default_url = "/lab"
c.SystemdSpawner.mem_limit = "8G"
c.SystemdSpawner.cpu_limit = 4.0
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.default_shell = "/bin/bash"
c.SystemdSpawner.slice = "jupyter.slice"
