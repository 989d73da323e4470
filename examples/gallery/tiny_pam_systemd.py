"""One machine, its own users, a systemd unit with limits for each server."""

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
c.SystemdSpawner.mem_limit = "4G"
c.SystemdSpawner.cpu_limit = 2.0
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.default_shell = "/bin/bash"
c.SystemdSpawner.username_template = "{USERNAME}"
c.SystemdSpawner.unit_name_template = "jupyter-{USERNAME}-singleuser"
c.SystemdSpawner.user_workingdir = "/home/{USERNAME}"
c.SystemdSpawner.readonly_paths = ["/"]
c.SystemdSpawner.readwrite_paths = ["/home/{USERNAME}", "/data/scratch"]
c.SystemdSpawner.extra_paths = ["/opt/conda/bin"]
c.SystemdSpawner.slice = "jupyter.slice"
c.SystemdSpawner.unit_extra_properties = {"LimitNOFILE": "16384", "TasksMax": "500"}
c.Spawner.cmd = ["/opt/conda/bin/jupyterhub-singleuser"]

c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allow_all = True
c.PAMAuthenticator.admin_groups = {"sudo", "adm"}
c.JupyterHub.authenticate_prometheus = False
