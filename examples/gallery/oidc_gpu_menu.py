"""An institute: OpenID Connect sign-in, groups from the provider, a menu of machines with GPUs."""

import os
import warnings

from oauthenticator.generic import GenericOAuthenticator
from tornado import web

c = get_config()  # noqa: F821

ISSUER = os.environ.get("OIDC_ISSUER", "https://login.institute.example/realms/science")


class InstituteAuthenticator(GenericOAuthenticator):
    """The provider's answer, with the institute's own rule about contracts."""

    async def update_auth_model(self, auth_model):
        auth_model = await super().update_auth_model(auth_model)
        claims = auth_model["auth_state"][self.user_auth_state_key]
        if claims.get("contract") == "ended":
            raise web.HTTPError(403, "Your contract has ended; please ask the front desk.")
        return auth_model


c.JupyterHub.authenticator_class = InstituteAuthenticator
c.InstituteAuthenticator.login_service = "the institute"
c.GenericOAuthenticator.client_id = "jupyter"
c.GenericOAuthenticator.client_secret = os.environ.get("OIDC_SECRET", "made-up-secret")
c.GenericOAuthenticator.oauth_callback_url = "https://jupyter.institute.example/hub/oauth_callback"
c.GenericOAuthenticator.authorize_url = f"{ISSUER}/protocol/openid-connect/auth"
c.GenericOAuthenticator.token_url = f"{ISSUER}/protocol/openid-connect/token"
c.GenericOAuthenticator.userdata_url = f"{ISSUER}/protocol/openid-connect/userinfo"
c.GenericOAuthenticator.logout_redirect_url = f"{ISSUER}/protocol/openid-connect/logout"
c.GenericOAuthenticator.scope = ["openid", "profile", "email", "groups"]
c.GenericOAuthenticator.username_claim = lambda claims: claims["preferred_username"].lower()
c.GenericOAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.allowed_groups = {"hub-users", "gpu-users"}
c.GenericOAuthenticator.admin_groups = {"hub-admins"}
c.GenericOAuthenticator.enable_auth_state = True
c.GenericOAuthenticator.refresh_pre_spawn = True
c.GenericOAuthenticator.auth_refresh_age = 300
c.Authenticator.auto_login = True
if "JUPYTERHUB_CRYPT_KEY" not in os.environ:
    warnings.warn("JUPYTERHUB_CRYPT_KEY is not set: sessions end with the hub", stacklevel=1)
    c.CryptKeeper.keys = [os.urandom(32)]

SIZES = {
    "small": ("2 cores, 4 GB", 2, "4G", 0),
    "large": ("8 cores, 32 GB", 8, "32G", 0),
    "gpu": ("8 cores, 64 GB, 1 GPU", 8, "64G", 1),
}


def form(spawner):
    """A menu; GPUs for those who may have them."""
    groups = {group.name for group in spawner.user.groups}
    choices = [
        f'<option value="{key}">{label}</option>'
        for key, (label, _, _, gpus) in SIZES.items()
        if not gpus or "gpu-users" in groups
    ]
    return f"""
    <label for="size">Machine</label>
    <select id="size" name="size" class="form-control">{"".join(choices)}</select>
    <label for="branch">Branch of the course material</label>
    <input id="branch" name="branch" class="form-control" value="main" />
    """


def read_form(data):
    """What the menu gave, checked."""
    size = data.get("size", ["small"])[0]
    if size not in SIZES:
        raise ValueError(f"there is no machine {size!r}")
    return {"size": size, "branch": data.get("branch", ["main"])[0][:100]}


async def prepare(spawner):
    """Turn the choice into limits; refuse GPUs to others."""
    size = spawner.user_options.get("size", "small")
    _, cores, memory, gpus = SIZES[size]
    groups = {group.name for group in spawner.user.groups}
    if gpus and "gpu-users" not in groups:
        raise web.HTTPError(403, "GPUs are for members of gpu-users")
    spawner.cpu_limit = cores
    spawner.mem_limit = memory
    spawner.environment.update(
        CUDA_VISIBLE_DEVICES="0" if gpus else "", COURSE_BRANCH=spawner.user_options["branch"]
    )
    state = await spawner.user.get_auth_state()
    if state:
        spawner.environment["INSTITUTE_TOKEN"] = state["access_token"]


def tidy(spawner):
    """Forget what a stopped server left."""
    spawner.log.info("tidying after %s", spawner._log_name)


c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = "registry.institute.example/notebook:2026-10"
c.DockerSpawner.extra_host_config = {
    "device_requests": [{"Driver": "nvidia", "Count": 1, "Capabilities": [["gpu"]]}],
    "shm_size": "1g",
}
c.Spawner.options_form = form
c.Spawner.options_from_form = read_form
c.Spawner.pre_spawn_hook = prepare
c.Spawner.post_stop_hook = tidy
c.Spawner.start_timeout = 300
