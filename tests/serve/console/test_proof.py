"""What decides on a page asks again who it is, keeps what was sent, and does nothing by itself."""

import html
import re

import psycopg
import pytest

from support.browsers import proposal_in
from support.console_pages import PAGES
from support.planes import set_password

PASSWORD = "a long enough password"
#: Who sends which form to what decides. `{change}` is one of Ada's that waits.
DECIDES = {
    "/changes/{change}/approve": ("bo", {"words": "fine"}),
    "/changes/{change}/reject": ("bo", {"words": "no"}),
    "/changes/{change}/apply": ("ada", {}),
    "/rollouts/{change}/promote": ("ada", {}),
    "/history/{revision}/restore": ("ada", {"words": "back"}),
    "/policies": ("dan", {"scope": "*", "kind": "*", "approvals": "1", "minutes": "0", "words": "four eyes"}),
    "/freezes": ("dan", {"scope": "*", "ends_at": "2099-01-01T00:00", "breakers": "bo", "words": "holiday"}),
    "/access": ("dan", {"name": "gil", "role": "viewer"}),
    "/access/{name}/roles": ("dan", {"role": "approver"}),
    "/access/{name}/limits": ("dan", {"scopes:config_write": "symbol=*"}),
    "/access/{name}/disable": ("dan", {}),
    "/access/{name}/enable": ("dan", {}),
    "/access/{name}/confirm": ("dan", {}),
    "/access/{name}/once": ("dan", {}),
    "/account/tokens": ("cy", {"label": "nightly"}),
    "/account/tokens/{id}/rotate": ("cy", {}),
    "/account/tokens/{id}/revoke": ("cy", {}),
    "/account/passkeys/{id}/remove": ("cy", {}),
}
#: What decides nothing by itself, and why.
FREE = {
    "/audit/notifications/{number}/retry": "what is sent again was to be sent anyway",
    "/rollouts/{change}/start": "puts nothing in force",
    "/rollback": "records what somebody does elsewhere",
    "/rollback/proof": "the same",
    "/checkpoints/{checkpoint}/decide": "asks itself for a proof: tests/serve/console/test_checkpoints.py",
    "/rollouts/{change}/shadow": "puts nothing in force",
    "/rollouts/{change}/skip": "puts nothing in force",
    "/rollouts/{change}/override": "asks itself for a fresh proof: tests/serve/console/test_rollouts.py",
    "/proof": "is the proof",
    "/history/chain": "looks whether history is whole",
    "/account/passkeys": "keeps what a device made after a fresh proof: tests/serve/console/test_passkeys.py",
    "/account/passkeys/new": "asks itself for a fresh proof: tests/serve/console/test_passkeys.py",
    "/account/sessions/{id}/end": "gives nobody anything, and must be quick",
    "/account/sessions/end-others": "gives nobody anything, and must be quick",
    "/freezes/{freeze}/end": "asks itself for a fresh proof: tests/serve/console/test_safeguards.py",
    "/changes/{change}/break-freeze": "the same",
    "/changes/{change}/take-over": "is an amendment: others approve it as any",
    "/changes/{change}/ask": "asks people to approve",
    "/changes/{change}/merge": "is an amendment: others approve it as any",
    "/changes/{change}/undo": "is an amendment: others approve it as any",
    "/config/check": "writes nothing",
    "/runs/{run}/ranges": "collects edits: nobody is asked for them yet",
    "/config/draft": "collects edits: nobody is asked for them yet",
    "/changes/{change}/comment": "says something",
    "/changes/{change}/repeat": "lets a check be trained again, as many as one reads may",
    "/changes/{change}/propose": "lays it before others; a time that nobody else approves decides: see below",
    "/changes/{change}/leave-out": "edits a draft",
    "/changes/{change}/withdraw": "takes something of one's own back",
}
POSTED = sorted(page.path for page in PAGES if "POST" in page.methods)
COUNTED = (
    "SELECT (SELECT count(*) FROM ftf_config_history), (SELECT count(*) FROM change_decisions),"
    " (SELECT count(*) FROM policies), (SELECT count(*) FROM freezes),"
    " (SELECT md5(string_agg(a::text, ' ' ORDER BY name)) FROM accounts AS a),"
    " (SELECT md5(string_agg(a::text, ' ' ORDER BY account)) FROM appointments AS a),"
    " (SELECT count(*) FROM credentials), (SELECT count(*) FROM changes WHERE state = 'applied'),"
    " (SELECT count(*) FROM credentials WHERE revoked_at IS NULL), (SELECT count(*) FROM passkeys)"
)


@pytest.fixture
def owner(owner_url):
    """A session of the owner of the tables."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def waiting(person):
    """The number of a change of Ada's that waits, over a revision that is no longer the first."""
    ada = person("ada")
    for sheet in ("xgb/5m/gamma = 0.3", "xgb/5m/gamma = 0.4"):
        number = ada.send("/config/draft", {"scope": "global", "sheet": sheet}).headers["location"]
        for move in ("propose", "apply") if "0.3" in sheet else ("propose",):
            answer = ada.send(f"{number}/{move}", words="so", proposal=proposal_in(ada.read(number)))
            assert answer.status_code == 303, html.unescape(answer.text)
    return number.rpartition("/")[2]


def old(owner):
    """Let every proof be older than a quarter of an hour."""
    owner.execute("UPDATE credentials SET proven_at = proven_at - interval '16 minutes'")


def filled(path, number, page, fields):
    """Return the address of a form, and its fields with the proposal that its page shows."""
    given = {"proposal": proposal_in(page), **fields} if "{change}" in path else fields
    filled_in = {"change": number, "revision": "1", "name": "fay", "id": "1"}
    return path.format(**filled_in), given


def test_every_form_decides_or_has_its_reason():
    """A page that posts something new is in one of the two tables, and what is there exists."""
    assert sorted([*DECIDES, *FREE]) == POSTED


@pytest.mark.parametrize("path", DECIDES)
def test_a_form_that_decides_asks_who_it_is_and_is_kept(person, owner, owner_url, waiting, path):
    """Nothing happens by the form, by a wrong password, nor by the proof; then its button does it."""
    account, fields = DECIDES[path]
    someone = person(account)
    owner.execute(
        "INSERT INTO accounts (name, roles, created_by, disabled_at)"
        " VALUES ('fay', '{config_write}', 'tests', CASE WHEN %s THEN now() END)",
        [path.endswith("enable")],
    )
    owner.execute("INSERT INTO appointments (account, what, hand) VALUES ('fay', 'role', 'olga')")
    (token,) = owner.execute(
        "INSERT INTO credentials (hash, kind, account, label, created_by, expires_at)"
        " VALUES (sha256('t'), 'token', 'cy', 'x', 'tests', now() + interval '1 day') RETURNING id"
    ).fetchone()
    (passkey,) = owner.execute(
        "INSERT INTO passkeys (key, account, label, public_key, sign_count)"
        " VALUES ('k', 'cy', 'x', 'p', 0) RETURNING id"
    ).fetchone()
    path = path.replace("{id}", str(passkey if "passkeys" in path else token))
    set_password(owner_url, account, PASSWORD)
    address, form = filled(path, waiting, person("cy").read(f"/changes/{waiting}"), fields)
    old(owner)
    before = owner.execute(COUNTED).fetchone()
    asked = someone.send(address, form)
    assert (asked.status_code, "Prove that it is you" in asked.text) == (403, True), html.unescape(asked.text)
    ticket = re.search(r'name="ticket" value="([^"]+)"', asked.text)[1]
    wrong = someone.send("/proof", ticket=ticket, password="not this one")
    assert (wrong.status_code, ticket in wrong.text) == (403, True)
    kept = someone.send("/proof", ticket=ticket, password=PASSWORD)
    assert (kept.status_code, "nothing was done with it" in kept.text) == (200, True)
    assert owner.execute(COUNTED).fetchone() == before
    found = re.findall(r'name="([^"]+)" value="([^"]*)"', kept.text)
    assert f'action="{address}"' in kept.text
    sent = someone.send(address, {name: html.unescape(value) for name, value in found})
    assert sent.status_code in {200, 303}, html.unescape(sent.text)  # 200 shows a secret, this once
    assert owner.execute(COUNTED).fetchone() != before


def test_a_time_that_nobody_else_approves_is_a_decision(person, owner, waiting):
    """Where one person alone applies, to set the time is to decide; to propose without one is not."""
    ada = person("ada")
    draft = {"scope": "global", "sheet": "xgb/5m/gamma = 0.45"}
    number = ada.send("/config/draft", draft).headers["location"]
    old(owner)
    form = {"words": "so", "proposal": proposal_in(ada.read(number))}
    asked = ada.send(f"{number}/propose", form, apply_at="2999-01-01T00:00")
    assert (asked.status_code, "Prove that it is you" in asked.text) == (403, True)
    assert ada.send(f"{number}/propose", form).status_code == 303


def test_a_kept_form_is_its_authors_and_lasts_a_day(person, owner, owner_url, waiting):
    """Another person gets nothing for the ticket; twenty are kept of one person; secrets are not."""
    bo, eve = person("bo"), person("eve")
    for account in ("bo", "eve"):
        set_password(owner_url, account, PASSWORD)
    old(owner)
    tickets = []
    for number in range(21):
        asked = bo.send(
            f"/changes/{waiting}/reject", words=f"no {number}", password="hidden", proposal="0" * 64
        )
        tickets += re.findall(r'name="ticket" value="([^"]+)"', asked.text)
    # The proposal is wrong, so nothing of it decides: the page says so itself.
    assert tickets == []
    address, form = filled(
        "/changes/{change}/reject", waiting, bo.read(f"/changes/{waiting}"), {"password": "hidden"}
    )
    for number in range(21):
        asked = bo.send(address, form, words=f"no {number}")
        tickets += re.findall(r'name="ticket" value="([^"]+)"', asked.text)
    assert len(set(tickets)) == 21
    assert owner.execute("SELECT count(*), bool_or(fields::text ~ 'hidden') FROM kept_forms").fetchone() == (
        20,
        False,
    )
    stolen = eve.send("/proof", ticket=tickets[-1], password=PASSWORD)
    assert (stolen.status_code, "no 20" in stolen.text) == (403, False)
    assert "no 20" in bo.send("/proof", ticket=tickets[-1], password=PASSWORD).text
    assert bo.send("/proof", ticket=tickets[0], password=PASSWORD).status_code == 403
    owner.execute("UPDATE kept_forms SET kept_at = kept_at - interval '25 hours'")
    assert bo.send("/proof", ticket=tickets[-1], password=PASSWORD).status_code == 403
    owner.execute("SELECT forget_credentials()")
    assert owner.execute("SELECT count(*) FROM kept_forms").fetchone() == (0,)


def test_the_page_of_the_proof_offers_what_the_account_has(person, owner_url):
    """Without a password it leads to setting one; with one it asks for it, and goes on from there."""
    ada = person("ada")
    assert 'href="/password"' in ada.read("/proof")
    set_password(owner_url, "ada", PASSWORD)
    assert 'name="next" value="/config"' in ada.read("/proof", next="/config")
    assert ada.send("/proof", password="", next="/config").status_code == 422
    assert ada.send("/proof", password=PASSWORD, next="/config").headers["location"] == "/config"
    assert ada.send("/proof", password=PASSWORD, next="//evil.example").headers["location"] == "/"
