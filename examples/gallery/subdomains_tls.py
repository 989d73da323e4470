"""A host name for each person, which keeps their pages apart; the hub's proxy ends TLS."""

import os

c = get_config()  # noqa: F821

here = os.path.dirname(os.path.abspath(__file__))

c.JupyterHub.bind_url = "https://:443"
c.JupyterHub.ssl_key = os.environ.get("HUB_KEY", os.path.join(here, "subdomains_tls.key"))
c.JupyterHub.ssl_cert = os.environ.get("HUB_CERT", os.path.join(here, "subdomains_tls.crt"))
c.JupyterHub.subdomain_host = "https://hub.science.example"
c.JupyterHub.subdomain_hook = "idna"
c.JupyterHub.cookie_host_prefix_enabled = True
c.ConfigurableHTTPProxy.log_level = "warn"
c.Proxy.extra_routes = {"hub.science.example/docs/": "http://127.0.0.1:8090/"}
c.JupyterHub.logo_file = os.path.join(here, "logo.svg")
c.JupyterHub.template_paths = [os.path.join(here, "templates")]
c.JupyterHub.template_vars = {"motto": "One name, one host"}
c.JupyterHub.authenticator_class = "oauthenticator.LocalGitHubOAuthenticator"
c.LocalGitHubOAuthenticator.create_system_users = True
c.GitHubOAuthenticator.oauth_callback_url = "https://hub.science.example/hub/oauth_callback"
c.GitHubOAuthenticator.client_id = "made-up-id"
c.GitHubOAuthenticator.client_secret = "made-up-secret"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "localprocess"
c.LocalProcessSpawner.shell_cmd = ["bash", "-l", "-c"]
c.LocalProcessSpawner.interrupt_timeout = 20
