"""What the commands' tests share: a command on a seeded database."""

import pytest


@pytest.fixture
def seeded(setpoint_command):
    """`setpoint` on a database of this test's own that holds the seeds."""
    assert setpoint_command("seed", "--apply").code == 0
    return setpoint_command
