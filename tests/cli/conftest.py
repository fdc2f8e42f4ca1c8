"""What the commands' tests share: a command on a seeded database."""

import pytest


@pytest.fixture
def seeded(bundled_seeds, setpoint_command):
    """`setpoint` on a database of this test's own that holds the seeds."""
    return setpoint_command
