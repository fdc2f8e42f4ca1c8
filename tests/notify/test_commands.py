"""`setpoint notifications`: test a target, see what was not sent, and have it tried again."""

import json
import shlex

from support.documents import propose
from support.hints import printed_command
from support.receivers import targets_file, targets_of, webhook


def test_a_target_is_tested_from_the_command_line(setpoint_command, receiver, tmp_path, monkeypatch):
    """The message is signed and says who sent it; one that is not taken is an error with the answer."""
    monkeypatch.setenv("SETPOINT_NOTIFY", str(targets_file(tmp_path, webhook("ops", receiver))))
    done = setpoint_command("notifications", "test", "ops")
    assert (done.code, done.err) == (0, "")
    said = json.loads(receiver.heard[0].body)
    assert said["type"] == "test"
    assert "notifications arrive here" in said["data"]["title"]
    assert "webhook-signature" in receiver.heard[0].headers

    receiver.statuses = [403]
    refused = setpoint_command("notifications", "test", "ops")
    assert (refused.code, "it answered 403" in refused.err) == (7, True)
    missing = setpoint_command("notifications", "test", "opps")
    assert (missing.code, "ops" in missing.err) == (4, True)


def test_what_failed_is_listed_and_retried(setpoint_command, people_at_work, receiver, work, owner, tmp_path):
    """The list says why; a retry lets the next plane send it."""
    configured = targets_of(tmp_path, webhook("ops", receiver))
    propose(people_at_work("ada"), set='{"a": 2}')
    receiver.statuses = [500]
    [number] = work(configured)
    owner.execute("UPDATE deliveries SET state = 'failed'")
    listed = setpoint_command("notifications", "list", "--failed", "--json").json
    [row] = listed["deliveries"]
    assert (row["id"], row["state"], row["error"]) == (number, "failed", "it answered 500")
    assert (listed["counts"]["failed"], listed["counts"]["waiting"]) == (1, 0)
    assert "it answered 500" in setpoint_command("notifications", "list").out
    again = setpoint_command("notifications", "retry", str(number))
    assert again.code == 0, again.err
    assert work(configured) == {}
    assert setpoint_command("notifications", "list", "--failed", "--json").json["deliveries"] == []
    gone = setpoint_command("notifications", "retry", str(number))
    assert gone.code == 4
    hint = printed_command("setpoint notifications list", gone.err)
    assert setpoint_command(*shlex.split(hint)[1:]).code == 0
