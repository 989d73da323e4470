# ruff: noqa: F821  (the hub provides c)
"""Stands for the configuration file of the zero-to-jupyterhub chart: the same idioms, written anew.

It imports a ``get_config`` of its own over the hub's, wires KubeSpawner from values,
appends to options that nobody has set, sets ``cmd`` to None, puts client objects into
lists, runs snippets of the values with ``exec``, and updates whole sections.
"""

import glob
import os
import re
import sys
from binascii import a2b_hex

from jupyterhub.utils import url_path_join
from kubernetes_asyncio import client
from tornado.httpclient import AsyncHTTPClient

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from z2jh import (
    ROOT,
    get_config,
    get_name,
    get_name_env,
    get_secret_value,
    set_config_if_not_none,
)

AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient")


def camel(name):
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.ConfigurableHTTPProxy.api_url = (
    f"http://{get_name('proxy-api')}:{get_name_env('proxy-api', '_SERVICE_PORT')}"
)
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}

if get_config("hub.db.type") == "sqlite-pvc":
    c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
else:
    set_config_if_not_none(c.JupyterHub, "db_url", "hub.db.url")

for option in (
    "concurrent_spawn_limit",
    "active_server_limit",
    "base_url",
    "allow_named_servers",
    "named_server_limit_per_user",
    "authenticate_prometheus",
    "redirect_to_server",
    "shutdown_on_logout",
    "template_paths",
    "template_vars",
):
    set_config_if_not_none(c.JupyterHub, option, "hub." + camel(option))

hub_port = int(get_name_env("hub", "_SERVICE_PORT"))
c.JupyterHub.hub_bind_url = f"http://:{hub_port}"
c.JupyterHub.hub_connect_url = f"http://{get_name('hub')}:{hub_port}"

labels = c.KubeSpawner.common_labels = {}
labels["app"] = get_config("nameOverride", default=get_config("Chart.Name", "jupyterhub"))
labels["heritage"] = "jupyterhub"
labels["release"] = get_config("Release.Name")
c.KubeSpawner.namespace = os.environ.get("POD_NAMESPACE", "default")
set_config_if_not_none(c.Spawner, "consecutive_failure_limit", "hub.consecutiveFailureLimit")

for option, key in (
    ("pod_name_template", None),
    ("start_timeout", None),
    ("image_pull_policy", "image.pullPolicy"),
    ("events_enabled", "events"),
    ("extra_labels", None),
    ("extra_annotations", None),
    ("uid", None),
    ("fs_gid", None),
    ("service_account", "serviceAccountName"),
    ("storage_extra_labels", "storage.extraLabels"),
    ("node_selector", None),
    ("node_affinity_required", "extraNodeAffinity.required"),
    ("node_affinity_preferred", "extraNodeAffinity.preferred"),
    ("pod_affinity_required", "extraPodAffinity.required"),
    ("pod_affinity_preferred", "extraPodAffinity.preferred"),
    ("pod_anti_affinity_required", "extraPodAntiAffinity.required"),
    ("pod_anti_affinity_preferred", "extraPodAntiAffinity.preferred"),
    ("lifecycle_hooks", None),
    ("init_containers", None),
    ("extra_containers", None),
    ("mem_limit", "memory.limit"),
    ("mem_guarantee", "memory.guarantee"),
    ("cpu_limit", "cpu.limit"),
    ("cpu_guarantee", "cpu.guarantee"),
    ("extra_resource_limits", "extraResource.limits"),
    ("extra_resource_guarantees", "extraResource.guarantees"),
    ("environment", "extraEnv"),
    ("profile_list", None),
    ("extra_pod_config", None),
):
    set_config_if_not_none(c.KubeSpawner, option, "singleuser." + (key or camel(option)))

image = get_config("singleuser.image.name")
c.KubeSpawner.image = f"{image}:{get_config('singleuser.image.tag')}"
c.KubeSpawner.allow_privilege_escalation = get_config("singleuser.allowPrivilegeEscalation")
if secrets := get_config("imagePullSecrets"):
    c.KubeSpawner.image_pull_secrets = [*secrets]
if get_config("scheduling.userScheduler.enabled"):
    c.KubeSpawner.scheduler_name = get_name("user-scheduler")
if get_config("scheduling.userPods.nodeAffinity.matchNodePurpose") == "prefer":
    expression = {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
    c.KubeSpawner.node_affinity_preferred.append(
        {"weight": 100, "preference": {"matchExpressions": [expression]}}
    )
if tolerations := get_config("scheduling.userPods.tolerations", []):
    c.KubeSpawner.tolerations = tolerations + get_config("singleuser.extraTolerations", [])

if get_config("singleuser.storage.type") == "dynamic":
    claim = get_config("singleuser.storage.dynamic.pvcNameTemplate")
    volume = get_config("singleuser.storage.dynamic.volumeNameTemplate")
    c.KubeSpawner.pvc_name_template = claim
    c.KubeSpawner.storage_pvc_ensure = True
    set_config_if_not_none(c.KubeSpawner, "storage_capacity", "singleuser.storage.capacity")
    c.KubeSpawner.volumes = [{"name": volume, "persistentVolumeClaim": {"claimName": claim}}]
    c.KubeSpawner.volume_mounts = [
        {"mountPath": get_config("singleuser.storage.homeMountPath"), "name": volume}
    ]
c.KubeSpawner.volumes.extend(get_config("singleuser.storage.extraVolumes", []))
c.KubeSpawner.volume_mounts.extend(get_config("singleuser.storage.extraVolumeMounts", []))

c.JupyterHub.services = []
c.JupyterHub.load_roles = []
if get_config("cull.enabled", False):
    base_url = c.JupyterHub.get("base_url", "/")
    command = ["python3", "-m", "jupyterhub_idle_culler"]
    command.append(f"--url=http://localhost:{hub_port}" + url_path_join(base_url, "hub/api"))
    command.append(f"--timeout={get_config('cull.timeout')}")
    command.append(f"--cull-every={get_config('cull.every')}")
    c.JupyterHub.services.append({"name": "jupyterhub-idle-culler", "command": command})
    c.JupyterHub.load_roles.append(
        {
            "name": "jupyterhub-idle-culler",
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": ["jupyterhub-idle-culler"],
        }
    )
for name, service in get_config("hub.services", {}).items():
    service.setdefault("name", name)
    service.pop("apiToken", None)
    service["api_token"] = get_secret_value(f"hub.services.{name}.apiToken")
    c.JupyterHub.services.append(service)
for name, role in get_config("hub.loadRoles", {}).items():
    role.setdefault("name", name)
    c.JupyterHub.load_roles.append(role)

# An explicit null is another thing than nothing.
unspecified = object()
command = get_config("singleuser.cmd", unspecified)
if command is not unspecified:
    c.Spawner.cmd = command
set_config_if_not_none(c.Spawner, "default_url", "singleuser.defaultUrl")

if get_config("singleuser.cloudMetadata", {}).get("blockWithIptables"):
    c.KubeSpawner.init_containers.append(
        client.V1Container(
            name="block-cloud-metadata",
            image="registry.example/network-tools:4",
            command=["iptables", "--append", "OUTPUT", "--jump", "DROP"],
            security_context=client.V1SecurityContext(
                privileged=True,
                run_as_user=0,
                capabilities=client.V1Capabilities(add=["NET_ADMIN"]),
            ),
            resources=get_config("singleuser.networkTools.resources"),
        )
    )

if get_config("debug.enabled", False):
    c.JupyterHub.log_level = "DEBUG"
    c.Spawner.debug = True

cookie_secret = get_secret_value("hub.config.JupyterHub.cookie_secret", None)
if cookie_secret is not None:
    c.JupyterHub.cookie_secret = a2b_hex(cookie_secret)
keys = get_secret_value("hub.config.CryptKeeper.keys", None)
if keys is not None:
    c.CryptKeeper.keys = keys.split(";")

for section, options in get_config("hub.config", {}).items():
    if section == "JupyterHub":
        options.pop("cookie_secret", None)
    if section == "CryptKeeper":
        options.pop("keys", None)
    c[section].update(options)

for path in sorted(glob.glob(f"{ROOT}/jupyterhub_config.d/*.py")):
    with open(path) as file:
        exec(compile(source=file.read(), filename=os.path.basename(path), mode="exec"))
for _, snippet in sorted(get_config("hub.extraConfig", {}).items()):
    exec(snippet)
