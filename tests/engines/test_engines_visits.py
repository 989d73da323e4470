"""Accounts without an identity provider: TmpAuthenticator's visitors."""

from harness import HubProcess, MakeHub

SETTINGS = """
c.JupyterHub.authenticator_class = "tmp"
c.Authenticator.admin_users = set()
"""


def name_of(hub: HubProcess, browser: object) -> str:
    return str(browser.get("/hub/api/user").json()["name"])  # type: ignore[attr-defined]


def test_each_visit_is_a_new_account_without_a_question(plugin_hub: MakeHub) -> None:
    hub = plugin_hub(SETTINGS)
    first, second = hub.browser(), hub.browser()
    for browser in (first, second):
        landed = browser.get("/hub/token")
        assert landed.url.path == "/hub/token", (landed.url, landed.text[:500])
        assert landed.status_code == 200
    names = [name_of(hub, first), name_of(hub, second)]
    assert names[0] != names[1]
    assert {user.name for user in hub.client.users()} == set(names)
    assert not any(user.admin for user in hub.client.users())

    again = first.get("/hub/tmplogin?next=%2Fhub%2Ftoken")
    assert again.status_code == 200
    assert name_of(hub, first) not in names
