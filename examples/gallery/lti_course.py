"""A course inside a learning management system (LTI 1.3); teachers become administrators."""

import os

from ltiauthenticator.lti13.auth import LTI13Authenticator

c = get_config()  # noqa: F821

LMS = os.environ.get("LMS", "https://learn.college.example")


class CourseAuthenticator(LTI13Authenticator):
    """Instructors of the course administer the hub."""

    async def authenticate(self, handler, data=None):
        user = await super().authenticate(handler, data)
        if user:
            roles = data.get("https://purl.imsglobal.org/spec/lti/claim/roles", [])
            user["admin"] = any(role.endswith("#Instructor") for role in roles) or None
        return user


c.JupyterHub.authenticator_class = CourseAuthenticator
c.LTI13Authenticator.issuer = LMS
c.LTI13Authenticator.authorize_url = f"{LMS}/api/lti/authorize_redirect"
c.LTI13Authenticator.client_id = {"10000000000001", "10000000000002"}
c.LTI13Authenticator.jwks_endpoint = f"{LMS}/api/lti/security/jwks"
c.LTI13Authenticator.username_key = "email"
c.LTI13Authenticator.uri_scheme = "https"
c.LTI13Authenticator.tool_name = "Notebooks"
c.LTI13Authenticator.tool_description = "Jupyter for the course"
c.Authenticator.allow_all = True
c.Authenticator.auto_login = True
c.Authenticator.username_pattern = r"[\w.+@-]+"

# The learning management system shows the hub in a frame.
c.JupyterHub.tornado_settings = {
    "headers": {"Content-Security-Policy": f"frame-ancestors 'self' {LMS}"},
    "cookie_options": {"SameSite": "None", "Secure": True},
}
c.Spawner.args = [
    '--ServerApp.tornado_settings={"headers":{"Content-Security-Policy":"frame-ancestors *"},'
    '"cookie_options":{"SameSite":"None","Secure":true}}'
]
c.JupyterHub.bind_url = "http://127.0.0.1:8000/"
c.JupyterHub.public_url = "https://notebooks.college.example/"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "/srv/course/homes/{username}"
c.Spawner.default_url = "/lab"
c.JupyterHub.redirect_to_server = True
