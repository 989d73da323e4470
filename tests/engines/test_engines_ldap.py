"""LDAPAuthenticator against a real slapd."""

from collections.abc import Iterator

import pytest
from directory import BASE, READER, READER_PASSWORD, running_directory
from harness import HubProcess, MakeHub, free_port
from signing import is_signed_in, send_form

SETTINGS = """
c.JupyterHub.authenticator_class = "ldap"
c.Authenticator.allow_all = False
c.Authenticator.admin_users = {{"ada"}}
c.Authenticator.enable_auth_state = True
c.CryptKeeper.keys = [b"k" * 32]
c.LDAPAuthenticator.server_address = "127.0.0.1"
c.LDAPAuthenticator.server_port = {port}
c.LDAPAuthenticator.tls_strategy = "insecure"
c.LDAPAuthenticator.lookup_dn = True
c.LDAPAuthenticator.lookup_dn_search_filter = "({{login_attr}}={{login}})"
c.LDAPAuthenticator.lookup_dn_search_user = "{reader}"
c.LDAPAuthenticator.lookup_dn_search_password = "{password}"
c.LDAPAuthenticator.lookup_dn_user_dn_attribute = "cn"
c.LDAPAuthenticator.use_lookup_dn_username = False
c.LDAPAuthenticator.user_search_base = "ou=people,{base}"
c.LDAPAuthenticator.user_attribute = "uid"
c.LDAPAuthenticator.group_search_filter = "(member={{userdn}})"
c.LDAPAuthenticator.group_attributes = ["member"]
c.LDAPAuthenticator.allowed_groups = ["cn=staff,ou=groups,{base}"]
c.LDAPAuthenticator.auth_state_attributes = ["mail", "departmentNumber"]
"""


@pytest.fixture(scope="module")
def hub(
    shared_plugin_hub: MakeHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    port = free_port()
    with running_directory(tmp_path_factory.mktemp("ldap") / "slapd", port):
        yield shared_plugin_hub(
            SETTINGS.format(port=port, reader=READER, password=READER_PASSWORD, base=BASE)
        )


def test_members_of_the_group_sign_in_and_their_attributes_are_kept(hub: HubProcess) -> None:
    for name, department in (("ada", "physics"), ("brook", "chemistry")):
        browser, reply = send_form(hub, name, f"{name}-secret")
        assert reply.status_code == 302, reply.text[:1000]
        assert is_signed_in(browser, name)
        assert hub.client.user(name).admin is (name == "ada")
        state = hub.api.get(f"/users/{name}").json()["auth_state"]
        assert state["user_attributes"]["departmentNumber"] == [department]
        assert state["ldap_groups"] == [f"cn=staff,ou=groups,{BASE}"]


REFUSED = (
    ("ada", "guess"),
    ("ada", ""),
    ("nobody", "x"),
    ("eve", "eve-secret"),  # right, but in no group that may come in
    ("*", "ada-secret"),
    ("ada)(uid=*", "ada-secret"),
)


def test_everybody_else_is_refused_on_the_form(hub: HubProcess) -> None:
    for name, password in REFUSED:
        browser, reply = send_form(hub, name, password)
        assert reply.status_code == 403, (name, password)
        assert 'name="password"' in reply.text
        assert browser.get("/hub/home").url.path == "/hub/login"
    assert {user.name for user in hub.client.users()} <= {"ada", "brook"}
