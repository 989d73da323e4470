"""Accounts whose passwords the plug-in keeps: NativeAuthenticator and FirstUseAuthenticator."""

import re
from pathlib import Path

from harness import HubProcess, MakeHub
from playwright.sync_api import Browser, BrowserContext, Page, expect
from signing import is_signed_in, send_form

NATIVE = """
import os, nativeauthenticator
c.JupyterHub.authenticator_class = "native"
c.JupyterHub.template_paths = [os.path.dirname(nativeauthenticator.__file__) + "/templates/"]
c.NativeAuthenticator.minimum_password_length = 8
c.NativeAuthenticator.allowed_failed_logins = 3
c.NativeAuthenticator.seconds_before_next_try = 600
c.Authenticator.admin_users = {"ada"}
c.Authenticator.allow_all = True
"""

FIRST_USE = """
c.JupyterHub.authenticator_class = "firstuseauthenticator.FirstUseAuthenticator"
c.FirstUseAuthenticator.dbm_path = {passwords!r}
c.FirstUseAuthenticator.min_password_length = 8
c.FirstUseAuthenticator.create_users = False
c.Authenticator.allowed_users = {{"ada", "brook"}}
"""


def fresh_page(browser: Browser) -> tuple[BrowserContext, Page]:
    context = browser.new_context()
    context.set_default_timeout(30_000)
    return context, context.new_page()


def sign_up(page: Page, hub: HubProcess, name: str, password: str) -> None:
    page.goto(f"{hub.origin}/hub/signup")
    page.fill("input[name=username]", name)
    page.fill("input[name=signup_password]", password)
    page.fill("input[name=signup_password_confirmation]", password)
    page.click("#signup_submit")


def sign_in(page: Page, hub: HubProcess, name: str, password: str) -> None:
    page.goto(f"{hub.origin}/hub/login?next=%2Fhub%2Fhome")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")


def test_native_sign_up_approval_and_sign_in_in_a_browser(
    browser: Browser, plugin_hub: MakeHub
) -> None:
    hub = plugin_hub(NATIVE)
    admins, admin = fresh_page(browser)
    people, person = fresh_page(browser)

    sign_up(admin, hub, "ada", "ada-password-1")
    sign_in(admin, hub, "ada", "ada-password-1")
    admin.wait_for_url(re.compile(r"/hub/home$"))

    sign_up(person, hub, "brook", "brook-password-1")
    sign_in(person, hub, "brook", "brook-password-1")
    expect(person).to_have_url(re.compile(r"/hub/login"))
    assert person.locator("input[name=password]").count() == 1

    admin.goto(f"{hub.origin}/hub/authorize")
    admin.click('a[href*="authorize/brook"]')
    expect(admin.locator("body")).to_contain_text("brook")

    sign_in(person, hub, "brook", "a wrong guess")
    expect(person).to_have_url(re.compile(r"/hub/login"))
    sign_in(person, hub, "brook", "brook-password-1")
    person.wait_for_url(re.compile(r"/hub/home$"))
    assert hub.client.user("ada").admin is True
    assert hub.client.user("brook").admin is False
    # Approval is for administrators.
    refused = person.goto(f"{hub.origin}/hub/authorize")
    assert refused is not None
    assert refused.status == 403

    person.goto(f"{hub.origin}/hub/change-password")
    person.fill("input[name=old_password]", "brook-password-1")
    person.fill("input[name=new_password]", "brook-password-2")
    person.fill("input[name=new_password_confirmation]", "brook-password-2")
    person.click("input[type=submit], button[type=submit]")
    people.close()
    admins.close()

    client, reply = send_form(hub, "brook", "brook-password-1")
    assert not is_signed_in(client, "brook")
    client, reply = send_form(hub, "brook", "brook-password-2")
    assert reply.status_code == 302
    assert is_signed_in(client, "brook")


def test_the_password_of_the_first_visit_stays(plugin_hub: MakeHub, tmp_path: Path) -> None:
    hub = plugin_hub(FIRST_USE.format(passwords=str(tmp_path / "passwords.dbm")))
    _, short = send_form(hub, "ada", "short")
    assert short.status_code == 403
    browser, reply = send_form(hub, "ada", "ada-password-1")
    assert reply.status_code == 302, reply.text[:1000]
    assert is_signed_in(browser, "ada")
    _, other = send_form(hub, "ada", "another-password")
    assert other.status_code == 403
    _, stranger = send_form(hub, "eve", "eve-password-1")
    assert stranger.status_code == 403

    hub.stop()
    hub.start()
    _, other = send_form(hub, "ada", "another-password")
    assert other.status_code == 403
    browser, reply = send_form(hub, "ada", "ada-password-1")
    assert reply.status_code == 302
    assert is_signed_in(browser, "ada")
