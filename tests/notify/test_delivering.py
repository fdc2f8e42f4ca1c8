"""A notification arrives at least once, in order for each change, signed, and nowhere but where it may."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from datetime import UTC, datetime

import pytest

from setpoint.errors import MissingError
from setpoint.notify import outbox
from setpoint.notify.delivery import attempt
from setpoint.notify.messages import Notification
from setpoint.notify.networks import is_allowed
from support.documents import propose
from support.receivers import SECRET, receiving, targets_of, webhook

MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def told(people_at_work, sender):
    """A notification of each of two changes, and another of the first."""
    changes = [propose(people_at_work("ada"), set=f'{{"a": {value}}}') for value in (2, 3)]
    people_at_work("ada").execute("ask_approvers", id=changes[0]["id"], people=["bo"])
    return changes


def due_now(owner):
    owner.execute(
        "UPDATE deliveries SET next_at = now(), leased_until = now() - interval '1 s' WHERE state = 'waiting'"
    )


def test_a_receiver_that_fails_twice_gets_the_same_id_three_times(
    told, receiver, work, owner, sender, tmp_path
):
    """It is tried again until it is taken, and nothing later of the same change overtakes it."""
    configured = targets_of(tmp_path, webhook("ops", receiver))
    receiver.statuses = [500, 200, 503]
    assert list(work(configured).values()) == ["it answered 500"]
    assert work(configured) == {}  # it is not due yet
    due_now(owner)
    assert list(work(configured).values()) == ["it answered 503"]
    due_now(owner)
    assert work(configured) == {}

    keys = [heard.headers["webhook-id"] for heard in receiver.heard]
    subjects = [f"change {json.loads(heard.body)['data']['change']}" for heard in receiver.heard]
    first, second = (f"change {change['id']}" for change in told)
    assert subjects == [first, second, first, first]
    assert len({keys[0], keys[2], keys[3]}) == 1
    by_subject = {one.subject: one for one in outbox.list_deliveries(sender, limit=10)}
    assert {(one.state, one.attempts, one.error) for one in by_subject.values()} == {
        ("sent", 3, ""),
        ("sent", 1, ""),
    }


def test_of_one_change_the_order_holds_and_another_does_not_wait(told, receiver, owner, sender, tmp_path):
    """While the oldest of a subject is with a plane, or waits, no later one of it is lent."""
    configured = targets_of(tmp_path, webhook("ops", receiver))
    owner.execute(
        "INSERT INTO notifications (kind, subject, people, facts)"
        " SELECT 'change_approved', subject, '{ada}', facts FROM notifications WHERE subject = 'change 2'"
    )
    outbox.route(sender, configured.targets)
    take = lambda: outbox.claim(sender, configured.targets, limit=4, lease_s=60)  # noqa: E731
    [first] = take()
    assert (first.notification.subject, first.notification.kind) == ("change 2", "approval_wanted")
    assert take() == []  # one at a time for each target
    outbox.note(sender, first, "it is away", 600)
    [other] = take()
    assert other.notification.subject == "change 3"
    outbox.note(sender, other, None, 0)
    assert take() == []  # the approval waits behind the request
    due_now(owner)
    [again] = take()
    assert again.notification == first.notification
    outbox.note(sender, again, None, 0)
    [last] = take()
    assert (last.notification.subject, last.notification.kind) == ("change 2", "change_approved")


def test_a_plane_that_dies_after_sending_leaves_it_to_be_sent_again(
    told, receiver, work, owner, sender, tmp_path
):
    """The lease ends, another plane sends the same id; what the dead one says later changes nothing."""
    configured = targets_of(tmp_path, webhook("ops", receiver))
    outbox.route(sender, configured.targets)
    [taken] = outbox.claim(sender, configured.targets, limit=1, lease_s=60)
    assert attempt(configured, configured.named("ops"), taken.notification, "") is None
    assert work(configured) == {}
    assert len(receiver.heard) == 1  # nobody else has it while the lease holds
    due_now(owner)
    owner.execute("UPDATE deliveries SET leased_until = NULL WHERE id = %s", [taken.id])
    assert outbox.note(sender, taken, "the disk is full", 0) is None
    assert work(configured) == {}
    keys = [heard.headers["webhook-id"] for heard in receiver.heard]
    assert keys[0] == keys[1] == taken.notification.key


def test_a_signature_verifies_by_the_standard(told, receiver, work, tmp_path):
    """HMAC-SHA256 over id, timestamp and body, computed here from the secret alone."""
    assert work(targets_of(tmp_path, webhook("ops", receiver))) == {}
    heard = receiver.heard[0]
    signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    expected = base64.b64encode(hmac.digest(base64.b64decode(SECRET), signed, hashlib.sha256)).decode()
    assert heard.headers["webhook-signature"] == f"v1,{expected}"
    said = json.loads(heard.body)
    assert (said["type"], said["data"]["people"]) == ("approval_wanted", ["bo"])
    assert said["data"]["link"] == f"https://plane.test/changes/{told[0]['id']}"
    assert said["data"]["command"] == f"setpoint change approve {told[0]['id']}"


def test_a_redirect_is_not_followed(told, receiver, work, tmp_path):
    """It is an answer that took nothing."""
    with receiving() as elsewhere:
        receiver.statuses, receiver.location = [302, 307], elsewhere.url
        failed = work(targets_of(tmp_path, webhook("ops", receiver)))
        assert sorted(failed.values()) == ["it answered 302", "it answered 307"]
        assert elsewhere.heard == []


def test_no_write_waits_for_a_receiver(told, people_at_work, receiver, sender, tmp_path):
    """While one hangs with a delivery in its hands, changes are opened, decided on and noted."""
    receiver.answers.clear()
    configured = targets_of(tmp_path, webhook("ops", receiver))
    outbox.route(sender, configured.targets)
    [taken] = outbox.claim(sender, configured.targets, limit=1, lease_s=60)
    outcome = []
    hanging = threading.Thread(
        target=lambda: outcome.append(attempt(configured, configured.named("ops"), taken.notification, ""))
    )
    hanging.start()
    change = propose(people_at_work("ada"), set='{"a": 9}')
    decision = {
        "id": change["id"],
        "decision": "approve",
        "proposal_hash": change["proposal_hash"],
        "words": "",
    }
    people_at_work("bo").fetch_one("decide_change", **decision)
    assert outcome == []
    receiver.answers.set()
    hanging.join()
    assert outcome == [None]


def test_what_is_not_taken_for_a_day_is_given_up_until_somebody_retries(
    told, receiver, work, owner, sender, people_at_work, tmp_path
):
    """It is told as failed, stands in nobody's way, and a retry tries it for a day more."""
    configured = targets_of(tmp_path, webhook("ops", receiver))
    receiver.statuses = [500]
    [failed] = work(configured)
    owner.execute("UPDATE deliveries SET since = now() - interval '25 hours'")
    due_now(owner)
    receiver.statuses = [500]
    work(configured)
    counts = outbox.count_deliveries(sender)
    assert (counts.waiting, counts.failed) == (0, 1)
    with people_at_work("cy").transaction() as transaction:
        assert outbox.retry(transaction, failed) == "ops"
    assert work(configured) == {}
    assert outbox.count_deliveries(sender).failed == 0
    with people_at_work("cy").transaction() as transaction, pytest.raises(MissingError, match="no delivery"):
        outbox.retry(transaction, failed)


#: Loopback, private, link-local, shared, multicast and no address at all, however it is written.
PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
    "224.0.0.1", "::", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
    "2002:7f00:1::", "ff02::1",
]  # fmt: skip


def test_a_target_that_leads_inside_needs_the_allow_list(told, receiver, work, tmp_path):
    """Loopback, private, link-local and shared addresses, however they are written; and what is listed is."""
    assert not [address for address in PRIVATE if is_allowed(address, ())]
    assert is_allowed("1.1.1.1", ())
    assert is_allowed("2606:4700:4700::1111", ())
    assert not is_allowed("1.1.1.1", (), is_encrypted=False)
    failed = work(targets_of(tmp_path, webhook("ops", receiver), allow="[]"))
    assert set(failed.values()) == {"127.0.0.1 leads to 127.0.0.1, which would be told unencrypted."}
    assert receiver.heard == []


def test_a_name_is_looked_up_once_and_all_its_addresses_are_judged(receiver, tmp_path, monkeypatch):
    """A name with one address inside is refused whole; what was judged is what is connected to."""
    asked = []

    def looked_up(host, port, *_):
        asked.append(host)
        found = {
            "mixed.test": ["93.184.215.14", "10.0.0.1"],
            "turning.test": ["127.0.0.1"] if len(asked) == 2 else ["10.0.0.1"],
        }
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found[host]]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    place = f"http://{{}}.test:{receiver.port}/"
    configured = targets_of(
        tmp_path,
        "".join(
            f'[targets.{name}]\nby = "webhook"\nurl = "{place.format(name)}"\nsecret_file = "{{secret}}"\n'
            for name in ("mixed", "turning")
        ),
    )
    told = Notification("k", "test", "test", (), {"author": "ada"}, MADE_AT)
    assert "leads to 93.184.215.14" in attempt(configured, configured.named("mixed"), told, "")
    monkeypatch.setattr(socket, "create_connection", only_to("127.0.0.1", socket.create_connection))
    assert attempt(configured, configured.named("turning"), told, "") is None
    assert asked == ["mixed.test", "turning.test"]
    assert receiver.heard[0].headers["Host"] == f"turning.test:{receiver.port}"


def only_to(address, connect):
    """Connect as ever, to one address; the system's own look-up is out of the way."""

    def connected(place, *given, **named):
        assert place[0] == address
        sock = socket.socket()
        sock.settimeout(named.get("timeout"))
        sock.connect(place)
        return sock

    return connected
