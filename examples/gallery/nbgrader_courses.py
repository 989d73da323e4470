"""Two courses with nbgrader: a shared grading server for each, groups, roles, an exchange."""

import os
import sys

c = get_config()  # noqa: F821

COURSES = {
    "mech101": {"instructors": ["ada"], "assistants": ["brook"], "port": 9999},
    "optics": {"instructors": ["chen", "ada"], "assistants": [], "port": 9998},
}
STUDENTS = {"mech101": ["dara", "eli", "fay"], "optics": ["eli", "gus"]}

c.JupyterHub.authenticator_class = "pam"
c.LocalAuthenticator.create_system_users = True
c.LocalAuthenticator.add_user_cmd = ["adduser", "-q", "--gecos", '""', "--disabled-password"]
c.Authenticator.admin_users = {"root-of-teaching"}
everybody = {name for names in STUDENTS.values() for name in names}
c.Authenticator.allowed_users = (
    everybody
    | {name for course in COURSES.values() for name in course["instructors"]}
    | {name for course in COURSES.values() for name in course["assistants"]}
    | {f"grader-{course}" for course in COURSES}
)

c.JupyterHub.load_groups = {}
c.JupyterHub.load_roles = []
c.JupyterHub.services = []
for course, staff in COURSES.items():
    graders = [*staff["instructors"], *staff["assistants"], f"grader-{course}"]
    c.JupyterHub.load_groups[f"formgrade-{course}"] = {"users": graders}
    c.JupyterHub.load_groups[f"nbgrader-{course}"] = {"users": STUDENTS[course]}
    c.JupyterHub.load_roles += [
        {
            "name": f"formgrade-{course}",
            "description": f"Staff of {course} reach its grading service",
            "groups": [f"formgrade-{course}"],
            "scopes": [f"access:services!service={course}"],
        },
        {
            "name": f"manage-{course}",
            "description": f"The service of {course} changes the list of its students",
            "services": [course],
            "scopes": [
                "list:services",
                "list:users",
                "read:services",
                "users:activity",
                f"groups!group=nbgrader-{course}",
                f"groups!group=formgrade-{course}",
            ],
        },
    ]
    c.JupyterHub.services.append(
        {
            "name": course,
            "url": f"http://127.0.0.1:{staff['port']}",
            "command": [
                "jupyterhub-singleuser",
                f"--ServerApp.root_dir=/home/grader-{course}/{course}",
                "--debug",
            ],
            "user": f"grader-{course}",
            "cwd": f"/home/grader-{course}",
            "environment": {
                "JUPYTERHUB_DEFAULT_URL": "/lab",
                "PATH": os.environ.get("PATH", os.defpath),
            },
            "api_token": f"{course}-made-up-token-0123456789abcdef",
            "oauth_client_allowed_scopes": ["inherit"],
        }
    )

c.JupyterHub.services.append(
    {
        "name": "idle",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    }
)
c.JupyterHub.load_roles.append(
    {
        "name": "idle",
        "services": ["idle"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
)
c.Spawner.default_url = "/lab"
c.Spawner.environment = {"NBGRADER_EXCHANGE": "/srv/nbgrader/exchange"}
