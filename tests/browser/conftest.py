"""Debian's chromium at a real plane; whatever a page complains of fails the test."""

import pytest
from playwright.sync_api import sync_playwright

from support.debian_programs import program
from support.npm import installed
from support.planes import open_accounts, set_password

PASSWORD = "a long enough password"
#: Run before any script of a page: a violation of the policy is kept for the end of the test.
SPY = """window.violations = [];
document.addEventListener("securitypolicyviolation", (one) =>
  window.violations.push(`${one.violatedDirective} ${one.blockedURI}`));"""


@pytest.fixture(scope="module")
def chromium():
    """A browser without windows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"))
        yield browser
        browser.close()


@pytest.fixture
def window(chromium, plane, seeded, owner_url):
    """``window("ada")`` is a page of a window of its own, in which Ada has logged in."""
    open_accounts(owner_url)
    opened, said = [], []

    def open_window(account, **options):
        set_password(owner_url, account, PASSWORD)
        context = chromium.new_context(base_url=plane, viewport={"width": 1280, "height": 860}, **options)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.add_init_script(SPY)
        page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
        page.on("pageerror", lambda one: said.append(str(one)))
        page.goto("/login")
        page.fill("#account", account)
        page.fill("#password", PASSWORD)
        page.click("button:has-text('Log in')")
        page.wait_for_url("**/")
        opened.append((context, page, options.get("java_script_enabled", True)))
        return page

    yield open_window
    for context, page, has_scripts in opened:
        said += page.evaluate("window.violations") if has_scripts else []
        context.close()
    # A form whose session had ended is answered with 401 and the page to log in, which browsers note.
    assert not [one for one in said if "401 (Unauthorized)" not in one]


@pytest.fixture
def four_eyes(http_as, seeded):
    """One other person must approve each change."""
    made = http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    assert made.status_code == 200, made.text


@pytest.fixture(scope="module")
def axe(tmp_path_factory, request):
    """The source of axe-core, which judges whether everybody can use a page."""
    folder = installed(request.path.parent / "axe", tmp_path_factory.mktemp("axe"), "axe-core")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
