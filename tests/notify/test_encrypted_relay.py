"""Mail over STARTTLS to a relay that is not ours: encrypted and logged in, or not sent at all."""

import ssl
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from setpoint.notify.delivery import attempt
from setpoint.notify.messages import Notification
from support.certificate import make_certificate
from support.plane_process import free_port
from support.receivers import targets_of

pytestmark = pytest.mark.real

PASSWORD = "a-password-of-the-relay"
TOLD = Notification("0b0e-key", "test", "test", (), {"author": "ada"}, datetime.now(UTC))
TABLES = """
[smtp]
host = "localhost"
port = {port}
sender = "setpoint@example.org"
user = "setpoint"
password_file = "{password}"
[targets.bo]
by = "mail"
to = "bo@example.org"
"""


class Kept:
    """What a relay was told: logins, and mails with whether they came encrypted."""

    def __init__(self):
        self.logins, self.mails = [], []

    async def handle_DATA(self, _server, session, envelope):  # noqa: N802 - the library's name
        self.mails.append(
            (session.ssl is not None, session.authenticated, envelope.rcpt_tos, envelope.content)
        )
        return "250 taken"

    def __call__(self, _server, session, _envelope, _mechanism, data):
        """Judge a login."""
        self.logins.append((session.ssl is not None, data.login))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@contextmanager
def relay(tls):
    kept = Kept()
    ways = {"tls_context": tls, "require_starttls": True} if tls else {}
    running = Controller(
        kept, hostname="localhost", port=free_port(), authenticator=kept, auth_required=bool(tls), **ways
    )
    running.start()
    try:
        yield running.port, kept
    finally:
        running.stop()


@pytest.fixture
def certified(tmp_path, monkeypatch):
    """``certified("localhost")``: what a relay of that name encrypts with; this process trusts it."""

    def made(host, is_trusted=True):
        folder = tmp_path / f"{host}-{is_trusted}"
        folder.mkdir()
        certificate, key = make_certificate(folder, host)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        if is_trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        else:
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        return context

    return made


@pytest.fixture
def send(tmp_path):
    """``send(port)``: send one notification to Bo's mailbox; returns why that failed."""

    def sent(port, password=PASSWORD):
        file = tmp_path / "password"
        file.write_text(f"{password}\n")
        configured = targets_of(tmp_path, TABLES.format(port=port, password=file), '["127.0.0.0/8", "::1"]')
        return attempt(configured, configured.named("bo"), TOLD, "")

    return sent


def test_a_mail_goes_encrypted_and_logged_in(certified, send):
    """Name and password are said after STARTTLS; a wrong password sends nothing, and is in no text."""
    with relay(certified("localhost")) as (port, kept):
        assert send(port) is None
        [(encrypted, logged_in, to, content)] = kept.mails
        assert (encrypted, logged_in, to) == (True, True, ["bo@example.org"])
        assert b"Subject: Setpoint: A test by ada" in content
        refused = send(port, "another")
        assert "535" in refused
        assert "another" not in refused
        assert kept.logins == [(True, b"setpoint")] * len(kept.logins)
        assert len(kept.mails) == 1


@pytest.mark.parametrize(
    ("host", "is_trusted", "said"),
    [("localhost", False, "certificate verify failed"), ("other.example", True, "localhost")],
)
def test_a_relay_that_is_not_who_it_says_is_told_nothing(certified, send, host, is_trusted, said):
    """A certificate that nobody vouches for, or of another name, ends it before a name or a mail is said."""
    with relay(certified(host, is_trusted)) as (port, kept):
        assert said in send(port)
        assert (kept.logins, kept.mails) == ([], [])


def test_a_relay_without_encryption_is_told_nothing(send):
    """Whoever takes STARTTLS out of an answer gets neither the password nor the mail in the clear."""
    with relay(None) as (port, kept):
        assert "STARTTLS" in send(port)
        assert (kept.logins, kept.mails) == ([], [])
