"""What people wrote is text in every message: no markup, no mention, no header, no line of its own."""

import email
import email.policy
import json
from datetime import UTC, datetime

import pytest

from setpoint.errors import InvalidDocument, InvalidValue, UsageError
from setpoint.notify.delivery import attempt, deliver, wait_s
from setpoint.notify.kinds import KINDS
from setpoint.notify.mail import mail_of
from setpoint.notify.messages import LONGEST, Notification, message_of
from setpoint.notify.targets import read_targets
from setpoint.notify.webhook import signing_secret, slack_body, webhook_body
from support.receivers import receiving, relaying, targets_of
from test_waits import dripping, silent

HOSTILE = (
    "<!channel> @here <https://evil.test|click> *b* & `x`\r\nBcc: all@evil.test\r\n\r\n.\r\n\x1b[31m\u202e"
)
MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FACTS = {
    "change": 7, "scope": "global", "author": "ada", "reason": HOSTILE, "kinds": ["value"], "actor": "bo",
    "words": HOSTILE, "incident": "INC-1", "owes": "validation", "until": "2026-01-02T04:00:00Z", "token": 3,
    "account": "trainer", "label": HOSTILE,
}  # fmt: skip
RELAY = """
[targets.bo]
by = "mail"
to = "bo@example.org"
[smtp]
host = "127.0.0.1"
port = {port}
starttls = false
sender = "setpoint@example.org"
"""


def message(kind="approval_wanted", people=("bo",), **facts):
    told = Notification("0b0e-key", kind, "change 7", people, {**FACTS, **facts}, MADE_AT)
    return message_of(told, "https://plane.test/x/")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_where_and_the_next_step(kind):
    """Each has a title, a command and a page; none leaves a brace or a line break that somebody wrote."""
    made = message(kind)
    assert made.command.startswith("setpoint ")
    assert made.link.startswith("https://plane.test/x/")
    assert "{" not in made.title + made.command + made.link
    assert len(made.title.splitlines()) == 1
    assert all(len(said.splitlines()) == 1 and said.isprintable() for _, said in made.facts)
    json.loads(webhook_body(made))


def test_slack_finds_no_markup_and_no_mention_in_what_people_wrote():
    """Blocks are plain text, the text beside them is escaped, and the only link is the plane's own."""
    said = json.loads(slack_body(message()))
    plain = [block["text"] for block in said["blocks"] if block["text"]["type"] == "plain_text"]
    [step] = [block["text"]["text"] for block in said["blocks"] if block["text"]["type"] == "mrkdwn"]
    assert step == (
        "<https://plane.test/x/changes/7|Open it in the Console>\nNext: `setpoint change approve 7`"
    )
    assert "<!channel>" in plain[1]["text"]  # plain text has no markup to escape
    assert not any("@" in text["text"] for text in plain)
    assert not set("<>@") & set(said["text"])
    assert "&lt;!channel&gt;" in said["text"]
    assert said["mrkdwn"] is False


def test_a_mail_has_no_header_and_no_line_that_somebody_wrote(tmp_path):
    """CR and LF in a reason are shown, not obeyed; the same notification has the same Message-ID."""
    with relaying() as mailbox:
        configured = targets_of(tmp_path, RELAY.format(port=mailbox.port))
        told = message(scope=HOSTILE).notification
        assert attempt(configured, configured.named("bo"), told, "") is None
        [(to, raw)] = mailbox.taken
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert to == ["bo@example.org"]
    assert {name.lower() for name, _ in mail.items()} == {
        "from", "to", "subject", "message-id", "auto-submitted", "content-type", "content-transfer-encoding",
        "mime-version",
    }  # fmt: skip
    assert mail["Subject"] == "Setpoint: Change 7 waits for approval"
    assert mail["Message-ID"] == "<0b0e-key@setpoint.invalid>"
    body = mail.get_content()
    assert not [line for line in body.splitlines() if line.startswith(("Bcc", ".")) or "\x1b" in line]
    assert "\\r\\nBcc: all@evil.test" in body
    made = mail_of(configured.named("bo"), configured.relay, message("token_ending", account="x\r\nBcc: y@z"))
    assert made["Subject"] == "Setpoint: Token 3 of x\\r\\nBcc: y@z ends soon"


def test_a_mailbox_that_is_refused_and_a_relay_that_is_not_allowed_are_failures(tmp_path):
    """What did not arrive is said, with why."""
    with relaying() as mailbox:
        mailbox.rcpt = "550 nobody"
        told = message().notification
        for allow, why in (('["127.0.0.0/8"]', "nobody"), ("[]", "unencrypted")):
            configured = targets_of(tmp_path, RELAY.format(port=mailbox.port), allow=allow)
            assert why in attempt(configured, configured.named("bo"), told, "")
        assert mailbox.taken == []


def test_long_texts_are_cut_and_many_people_counted():
    """A message stays a message, however much somebody wrote."""
    made = message(people=tuple(f"p{n}" for n in range(30)), reason="x" * 10_000)
    assert dict(made.facts)["reason"] == "x" * LONGEST
    assert dict(made.facts)["for"].endswith("p19 and 10 more")
    assert len(slack_body(made)) < 20_000


SLACK = '[targets.a]\nby = "slack"\n'
SMTP = '[smtp]\nhost = "x"\n'
REFUSED = [
    "wrong = [", "unknown = 1", 'allow = ["10.0.0.1/8"]', "allow = 3", '[targets.A]\nby = "slack"',
    '[targets.a]\nby = "pigeon"', '[targets.a]\nby = "webhook"\nurl = "https://x"',
    SLACK, f'{SLACK}url = "ftp://x"', f'{SLACK}url = "https://x"\nurl_file = "y"',
    f'{SLACK}url = "https://x/a b"',
    f'{SLACK}url = "https://u:p@x"', f'{SLACK}url = "https://x"\nroles = ["boss"]',
    f'{SLACK}url = "https://x"\nabout = ["weather"]', '[targets.a]\nby = "mail"\nto = "bo@x"',
    f'{SMTP}sender = "a@b"\nport = 0', f'{SMTP}sender = "a@b\\nBcc: c@d"',
    f'{SMTP}sender = "a@b"\nuser = "u"\nstarttls = false',
    f'{SMTP}sender = "a@b"\n[targets.a]\nby = "mail"\nto = "a@b\\r\\nBcc: c@d"',
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_a_file_of_targets_that_says_what_it_may_not_is_refused(text, tmp_path):
    """Each mistake is named with the file, and nothing is guessed."""
    file = tmp_path / "notify.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDocument, match=r"notify\.toml"):
        read_targets(str(file))
    with pytest.raises(UsageError, match="cannot be read"):
        read_targets(str(tmp_path / "missing"))


def test_secrets_stay_in_their_files(tmp_path):
    """An address in a file of its own is used and not shown; a secret that is none is refused without it."""
    with receiving() as receiver:
        (tmp_path / "url").write_text(f"{receiver.url}/T0/hush\n", encoding="utf-8")
        configured = targets_of(tmp_path, f'[targets.chat]\nby = "slack"\nurl_file = "{tmp_path / "url"}"\n')
        chat = configured.named("chat")
        receiver.statuses = [500]
        assert attempt(configured, chat, message().notification, "") == "it answered 500"
        assert attempt(configured, chat, message().notification, "") is None
        assert receiver.heard[0].path == "/hook/T0/hush"
    assert "hush" not in chat.place
    failed = attempt(configured, chat, message().notification, "")
    assert failed
    assert "hush" not in failed
    with pytest.raises(InvalidValue) as refused:
        signing_secret("whsec_hunter2")
    assert "hunter2" not in str(refused.value)


def test_waits_grow_to_half_an_hour_and_no_two_are_the_same():
    """Ten seconds at most at first, half an hour at most ever, half of that at least."""
    for attempts, longest in ((1, 10), (2, 20), (5, 160), (9, 1800), (10_000, 1800)):
        waits = {wait_s(attempts) for _ in range(20)}
        assert longest / 2 <= min(waits) <= max(waits) <= longest
        assert len(waits) > 1


@pytest.mark.parametrize("peer", [silent, dripping])
def test_an_attempt_ends_whatever_the_other_side_does(peer, tmp_path):
    """A receiver or a relay that says nothing, or never comes to an end, is a failure in its time."""
    with peer() as port:
        tables = f'{SLACK}url = "http://127.0.0.1:{port}/"\n{RELAY.format(port=port)}'
        configured = targets_of(tmp_path, tables)
        for name in ("a", "bo"):
            with pytest.raises(OSError, match=r"."):
                deliver(configured, configured.named(name), message(), within_s=0.3)
