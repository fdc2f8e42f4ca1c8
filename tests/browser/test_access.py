"""Who lets people in, in a real browser: a first admin's first hour, and a passkey of a virtual device."""

from dataclasses import replace

import pytest

from setpoint.serve.access.appointments import one_time_login
from support.plane_process import free_port
from support.planes import open_accounts, serving_plane, set_password

pytestmark = pytest.mark.real
PASSWORD = "a long enough password"


def come_in(chromium, plane, once):
    """Use a one-time login, set a password, and log in with it; returns the page."""
    page = chromium.new_context(base_url=plane).new_page()
    page.goto(f"/login?once={once}")
    page.click("text=Use the one-time login")
    page.click("text=Your account")
    page.click("text=Set your password")
    page.fill("#new", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("text=Set it")
    page.click("text=Log out")
    return page


def log_in(page, account):
    page.fill("#account", account)
    page.fill("#password", PASSWORD)
    page.click("button:has-text('Log in')")


def test_a_first_admin_sets_up_two_people_and_a_policy_on_pages_alone(chromium, plane, seeded, settings):
    """One-time logins lead in, roles are given, four eyes are asked for, and the two review a change."""
    once, _ = one_time_login(settings)
    admin = come_in(chromium, plane, once)
    log_in(admin, "admin")
    people = {}
    for name, role in (("ada", "config_write"), ("bo", "approver")):
        admin.click("nav >> text=Access")
        if not admin.is_visible("#name"):  # what was unfolded once stays so
            admin.click("text=Add an account")
        admin.fill("#name", name)
        admin.check(f'[name="role"][value="{role}"]')
        admin.click("text=Add this account")
        admin.click("text=Give a one-time login")
        secret = admin.inner_text(".line >> nth=0 >> code")
        admin.click("text=Done")
        people[name] = come_in(chromium, plane, secret)
        log_in(people[name], name)
    admin.click("nav >> text=Policies")
    admin.fill("#words", "four eyes")
    admin.click("text=Propose this policy")
    admin.wait_for_selector("text=Applied")

    ada, bo = people["ada"], people["bo"]
    ada.goto("/config?part=xgb&edit=yes")
    ada.fill('[name="value:CVN_HPO_XGB_5M_GAMMA"]', "0.25")
    ada.click("text=Put into my draft")
    ada.fill("#words", "less overfitting")
    ada.click("button:has-text('Propose')")
    ada.wait_for_selector("text=1 approval from bo")
    bo.goto(ada.url)
    bo.click("button:has-text('Approve')")
    bo.wait_for_selector("text=Applied as revision")
    for page in (admin, ada, bo):
        page.context.close()


@pytest.fixture
def named(served, catalogues, owner_url):
    """A plane at a name of its own, as passkeys need it."""
    port = free_port()
    open_accounts(owner_url)
    set_password(owner_url, "ada", PASSWORD)
    public = f"http://localhost:{port}"
    with serving_plane(replace(served, public_url=public), catalogues, port):
        yield public


def test_a_virtual_device_is_the_second_step_of_a_login(chromium, named):
    """Its passkey is added, completes the next login, proves who it is, and is removed; nothing complains."""
    context = chromium.new_context(base_url=named)
    page, said = context.new_page(), []
    page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda one: said.append(str(one)))
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )
    page.goto("/login")
    log_in(page, "ada")
    page.goto("/account")
    page.click("text=Add a passkey")
    page.fill("#label", "the laptop")
    page.click("text=Make it on this device")
    page.wait_for_selector("td:has-text('the laptop')")
    page.click("text=Log out")
    log_in(page, "ada")
    page.click("text=Use the passkey")
    page.wait_for_url("**/")
    page.goto("/proof?next=/account")
    page.click("text=Use a passkey")
    page.wait_for_selector("text=password and passkey")
    page.click("button:text-is('remove')")
    page.wait_for_selector("text=No passkey")
    assert said == []
    context.close()
