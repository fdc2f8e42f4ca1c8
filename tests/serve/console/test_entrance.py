"""How a person comes in and goes: the pages of one who opens the plane's address, without a script."""

import re

import httpx
import pytest

from setpoint.serve.access.appointments import one_time_login
from support.planes import set_password

PASSWORD = "a long enough password"


@pytest.fixture
def browser(plane, http_as, owner_url):
    """A browser, and Ada with a password."""
    set_password(owner_url, "ada", PASSWORD)
    with httpx.Client(base_url=plane) as client:
        yield client


def csrf_in(page):
    return re.search(r'name="csrf_token" value="(\w+)"', page)[1]


def test_a_person_logs_in_sees_who_they_are_and_logs_out(browser):
    """The start page leads to the form, the form to a session, and its button out of it."""
    assert browser.get("/").headers["location"] == "/login"
    done = browser.post("/login", data={"account": "ada", "password": PASSWORD})
    home = browser.get("/").text

    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert "<strong>ada</strong>" in home
    assert "config_write" in home
    assert browser.post("/logout", data={"csrf_token": "0" * 64}).status_code == 403
    assert browser.get("/v1/me").status_code == 200
    assert browser.post("/logout", data={"csrf_token": csrf_in(home)}).status_code == 303
    assert browser.get("/v1/me").status_code == 401
    assert browser.get("/").headers["location"] == "/login"


def test_a_one_time_login_leaves_the_address_and_is_used_by_the_button_alone(browser, settings):
    """Opening the printed address uses nothing up; pressing the button does, and a password can be set."""
    secret, _ = one_time_login(settings)
    for _ in range(2):
        moved = browser.get("/login", params={"once": secret})
        assert (moved.status_code, moved.headers["location"]) == (303, "/login")
    assert "one-time login" in browser.get("/login").text
    assert browser.post("/login", data={"use_once": "yes"}).status_code == 303
    page = browser.get("/password").text
    form = {"csrf_token": csrf_in(page), "new": "another long password", "again": "another long password"}
    assert browser.post("/password", data={**form, "again": "x"}).status_code == 422
    assert browser.post("/password", data={**form, "new": "short", "again": "short"}).status_code == 422
    assert browser.post("/password", data=form).status_code == 303
    again = browser.post("/login", data={"account": "admin", "password": "another long password"})
    assert again.status_code == 303
    used = browser.post("/login", data={"once": secret})
    assert (used.status_code, "unknown, expired or used" in used.text) == (401, True)


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        ({"account": "ada", "password": "wrong"}, {}, 401),
        ({"account": "nobody", "password": PASSWORD}, {}, 401),
        ({"account": "ada"}, {}, 422),
        ({"account": "ada", "password": PASSWORD}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"account": "ada", "password": PASSWORD}, {"Sec-Fetch-Site": "same-site"}, 403),
        ({"account": "ada", "password": PASSWORD}, {"Origin": "https://elsewhere.example"}, 403),
        ({"account": "ada", "password": PASSWORD}, {"Origin": "null"}, 403),
        ({"account": "ada", "password": PASSWORD}, {"Content-Type": "text/plain"}, 422),
        ({f"field{n}": "x" for n in range(30)}, {}, 422),
        ({"account": "ada", "password": "x" * 1025}, {}, 422),
        ({"account": "<b>ada", "password": "x"}, {}, 401),
    ],
)
def test_what_is_no_login_shows_the_form_again(browser, data, headers, status):
    """Wrong, incomplete, from another site, or no form: the form says why, and nobody is logged in."""
    answer = browser.post("/login", data=data, headers=headers)

    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert "<b>ada" not in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_browser_that_says_same_origin_logs_in_whatever_its_origin(browser, headers):
    """Origin is null where a page hides its address, and another name where a proxy renames the host."""
    form = {"account": "ada", "password": PASSWORD}

    assert browser.post("/login", data=form, headers=headers).status_code == 303


def test_pages_let_the_browser_name_the_plane_as_the_origin_of_its_forms(browser):
    """Under no-referrer a browser sends a form with `Origin: null`, which is nobody's own page."""
    assert browser.get("/login").headers["referrer-policy"] == "same-origin"


def test_without_a_session_a_password_is_not_set(browser):
    """The form leads to the login."""
    login = "/login?next=%2Fpassword"
    assert browser.get("/password").headers["location"] == login
    assert browser.post("/password", data={"new": "x", "again": "x"}).headers["location"] == login
