"""What holds for every page: who sees it, and what it says to whoever may not."""

import re

import httpx
import psycopg
import pytest

from setpoint.errors import SetpointError
from setpoint.govern.markup import templates_in
from setpoint.serve import routes
from setpoint.serve.access.rules import csrf_token
from setpoint.serve.bodies import MOST_BODY_BYTES
from setpoint.serve.console import pages
from setpoint.serve.problems import MEDIA_TYPE as PROBLEM
from setpoint.serve.problems import meanings
from support.console_pages import PAGES, READ, address_of
from support.planes import ACCOUNTS, set_password

PASSWORD = "a long enough password"


def rule_of(route):
    return set(route.openapi_extra["x-setpoint-roles"])


@pytest.mark.parametrize("account", sorted(ACCOUNTS))
def test_every_page_lets_in_whom_its_rule_names_and_nobody_else(person, account):
    """403 as a page without the role; with it the page answers, whatever it then finds."""
    someone = person(account)
    wrong = []
    for route in PAGES:
        for method in route.methods:
            path = address_of(route)
            answer = someone.send(path) if method == "POST" else someone.get(path)
            allowed = bool(rule_of(route) & {"account", *ACCOUNTS[account]})
            if (answer.status_code != 403) != allowed or answer.status_code >= 500:
                wrong.append((method, path, answer.status_code))
    assert not wrong


def test_no_number_in_an_address_is_too_large_for_a_page(person):
    """What no row can have is refused or not found as a page, whatever it stands for; nothing fails."""
    dan, failed = person("dan"), []
    for route in PAGES:
        path = re.sub(r"\{[^}]+\}", str(2**63), route.path)
        for method in route.methods if path != route.path else ():
            answer = dan.send(path, words="x") if method == "POST" else dan.get(path)
            if not 400 <= answer.status_code < 500:
                failed.append((method, path, answer.status_code))
    assert not failed


def test_whoever_is_not_logged_in_is_sent_to_log_in_and_back(plane):
    """The address of the page comes along; the start page needs none."""
    with httpx.Client(base_url=plane) as client:
        sent = client.get("/changes", params={"state": "all"}).headers["location"]
        assert sent == "/login?next=%2Fchanges%3Fstate%3Dall"
        assert 'name="next" value="/changes?state=all"' in client.get(sent).text
        assert client.get("/").headers["location"] == "/login"
        for page in PAGES:
            for method in page.methods:
                answer = client.request(
                    method, address_of(page), data={"x": "1"} if method == "POST" else None
                )
                assert answer.status_code in {303, 401}, (method, page.path)


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb"])
def test_a_login_leads_to_no_other_host(plane, elsewhere):
    """What is no path of this plane is left out."""
    assert 'name="next"' not in httpx.get(f"{plane}/login", params={"next": elsewhere}).text


def test_a_form_without_the_token_of_its_session_is_refused(person):
    """Another site's page knows no token; neither does another session's."""
    ada, bo = person("ada"), person("bo")
    for token in ("", "0" * 64, csrf_token(bo.secret)):
        answer = ada.send("/changes/1/comment", csrf_token=token, words="x")
        assert answer.status_code == 403


def test_pages_run_no_script_of_their_own_and_load_nothing_from_elsewhere(person):
    """The policy is strict, and no page needs what it forbids: no inline script, style or handler."""
    ada = person("ada")
    for route in READ:
        answer = ada.get(address_of(route))
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<script>|<style|style=|https?://|\son\w+=", answer.text), route.path


def test_what_pages_load_is_kept_for_good_and_named_by_its_content(plane, person):
    """The style's address has its digest; any other digest is no address."""
    path = re.search(r'href="(/static/[0-9a-f]{16}/console\.css)"', person("cy").read("/"))[1]
    style = httpx.get(f"{plane}{path}")
    assert style.headers["content-type"].startswith("text/css")
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "url(" not in style.text
    assert httpx.get(f"{plane}/static/{'0' * 16}/console.css").status_code == 404


def test_text_from_people_is_shown_as_text(person):
    """Markup, terminal escapes and marks that turn the direction of text stand there, and do nothing."""
    ada = person("ada")
    said = "<b>bold</b> \x1b[31m \u202eeslaf"
    answer = ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"})
    number = answer.headers["location"].rpartition("/")[2]
    ada.send(f"/changes/{number}/comment", words=said)
    raw = ada.get(f"/changes/{number}").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in raw
    assert "\x1b" not in raw
    assert "\u202e" not in raw
    assert "\\x1b[31m" in raw


def test_a_form_whose_session_had_ended_is_kept_for_its_author_alone(plane, person, owner_url):
    """Log in again as the same person: what was typed stands there; nobody else gets it; nothing was done."""
    ada = person("ada")
    number = ada.send("/config/draft", {"scope": "global", "sheet": "xgb/5m/gamma = 0.3"}).headers["location"]
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE credentials SET revoked_at = clock_timestamp() WHERE account = 'ada'")
    late = ada.send(f"{number}/comment", words="typed with care" + " and at length" * 100)
    assert late.status_code == 401
    ticket = re.search(r'name="ticket" value="([^"]+)"', late.text)[1]
    assert "typed with care" not in person("cy").read(number)

    for account in ("ada", "bo"):
        set_password(owner_url, account, PASSWORD)
    with httpx.Client(base_url=plane) as client:
        form = {"account": "bo", "password": PASSWORD, "ticket": ticket}
        other = client.post("/login", data=form)
        assert (other.status_code, "typed with care" in other.text) == (403, False)
    with httpx.Client(base_url=plane) as client:
        form = {"account": "ada", "password": PASSWORD, "ticket": ticket}
        # Over plain http from another machine a browser says nothing of sites, and its origin alone.
        kept = client.post("/login", data=form, headers={"Origin": plane})
        assert kept.status_code == 200
        assert "typed with care" in kept.text
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', kept.text))
        assert client.post(f"{number}/comment", data=fields).status_code == 303
    assert "typed with care" in person("cy").read(number)


#: What a browser says that goes to an address.
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def is_told_to_people(answer, code):
    """Hold that a refusal is a page of the Console, and that the same request of a program is a problem."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
    assert (f"/problems/{code}" in answer.text, "Accept" in answer.headers["vary"]) == (True, True)
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    assert len(answer.content) == int(answer.headers["content-length"])


def kinds(root=SetpointError):
    """Yield every kind of error."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def test_every_refusal_is_a_page_for_a_browser_and_a_problem_for_a_program(person, monkeypatch):
    """Whatever kind of error, at an address of the API too: its status, code and words, in either form."""
    ada, said = person("ada"), "<b>what</b> was refused"

    def refuse(*_):
        raise kind(said, hint="do that", retry_after_s=7)

    monkeypatch.setattr(routes, "check_query", refuse)
    statuses = set()
    for kind in dict.fromkeys(kinds()):
        page, program = (ada.get("/v1/scopes", **asked) for asked in (BROWSER, {}))
        assert page.status_code == program.status_code == kind.http_status
        is_told_to_people(page, kind.code)
        assert "&lt;b&gt;what&lt;/b&gt; was refused" in page.text
        assert (program.headers["content-type"], program.json()["code"]) == (PROBLEM, kind.code)
        assert page.headers.get("retry-after") == program.headers.get("retry-after")
        assert page.headers.get("www-authenticate") == program.headers.get("www-authenticate")
        statuses.add(kind.http_status)
    assert statuses == {status for status, _ in meanings().values()} - {405, 415}


def test_what_no_route_answers_is_a_page_for_a_browser_and_a_problem_for_a_program(plane, another_plane):
    """Nothing there, another method, a body too large or of another type, a condition, a flood."""
    huge = {"content": b"x" * (MOST_BODY_BYTES + 1), "headers": {"Content-Type": "application/json"}}
    asked = {
        "missing": ("GET", "/nothing", {}),
        "method_not_allowed": ("DELETE", "/v1/scopes", {}),
        "payload_too_large": ("POST", "/v1/changes", huge),
        "unsupported_media_type": ("POST", "/v1/sessions", {"content": b"x"}),
        "unauthenticated": ("GET", "/v1/snapshots/current", {}),
        "precondition_failed": ("GET", "/openapi.json", {"headers": {"If-Match": '"none"'}}),
        "invalid_request": ("POST", "/v1/sessions", {"json": {}}),
    }
    with httpx.Client(base_url=plane) as client:
        for code, (method, path, more) in asked.items():
            form = {**more, "headers": {**BROWSER, **more.get("headers", {})}}
            page, program = client.request(method, path, **form), client.request(method, path, **more)
            is_told_to_people(page, code)
            assert "<h1" in page.text
            assert program.headers["content-type"] == PROBLEM, code
            assert (page.status_code, program.json()["code"]) == (program.status_code, code)
            assert page.headers.get("allow") == program.headers.get("allow")
        both = client.get("/nothing", headers={"Accept": "application/json, text/html"})
        assert both.headers["content-type"] == PROBLEM
    with another_plane(rate_per_address_s=0.1) as slow, httpx.Client(base_url=slow, headers=BROWSER) as flood:
        answers = [flood.get("/login") for _ in range(3)]
    is_told_to_people(answers[-1], "too_many_requests")
    assert (answers[-1].status_code, int(answers[-1].headers["retry-after"]) > 1) == (429, True)
    assert '<h1 class="page">Too fast' in answers[-1].text


def test_a_page_that_fails_is_a_page_for_a_browser_and_a_problem_for_a_program(person, monkeypatch):
    """In the frame, with the request's id and what to do; a read wrote nothing, of a form it is not known."""

    def fail(*_):
        raise RuntimeError("a fault of ours")

    ada, browser = person("ada"), {"Accept": "text/html", "Connection": "close"}
    monkeypatch.setattr(pages, "check_query", fail)
    for route in PAGES:
        method = next(iter(route.methods))
        path, token = address_of(route), {"csrf_token": csrf_token(ada.secret)}
        asked = {"data": token} if method == "POST" else {}
        if not rule_of(route) & {"account", *ACCOUNTS["ada"]}:
            continue
        answer = ada.ask(method, path, headers=browser, **asked)
        assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8"), path
        assert ("nothing was written" if method == "GET" else "look before you send it again") in answer.text
        for shown in (
            answer.headers["x-request-id"],
            'aria-label="Console"',
            "tell an operator".capitalize(),
        ):
            assert shown in answer.text, path
        assert "a fault of ours" not in answer.text
    assert ada.get("/runs").headers["content-type"] == "application/problem+json"


def test_a_process_writes_pages_with_the_templates_that_it_began_with(tmp_path):
    """An upgrade lays templates there that want what only the new code gives; read late, they would fail."""
    for name in ("first.html", "late.html"):
        (tmp_path / name).write_text("{{ one }}", "utf-8")
    templates = templates_in(tmp_path, {})
    assert templates.get_template("first.html").render(one=1) == "1"
    for name in ("first.html", "late.html"):
        (tmp_path / name).write_text("{{ progress.left }}", "utf-8")
        assert templates.get_template(name).render(one=1) == "1"


def test_the_menu_leads_nobody_to_a_page_that_they_may_not_read(person):
    """Each place is a link for whom its rule names, and else says the role that it needs."""
    rules = {route.path: rule_of(route) for route in READ}
    for account in sorted(ACCOUNTS):
        menu = person(account).read("/account").partition('aria-label="Console"')[2].partition("</nav>")[0]
        for address, name in pages.PLACES:
            may = bool(rules[address] & {"account", *ACCOUNTS[account]})
            assert (f'<a href="{address}"' in menu) == may, (account, address)
            assert (f">{name} <span" in menu) != may, (account, address)
    assert 'title="needs the role admin">Audit' in person("cy").read("/")
    assert 'href="/audit"' not in person("cy").read("/search", q="audit").partition("</nav>")[2]
    assert 'href="/changes?state=applied">Applied</a>.' in person("cy").read("/changes")
