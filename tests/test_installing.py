"""What an error advises to install is installed where it is missing."""

import sys

import pytest

from setpoint.settings import install_command


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("/usr", "pip install 'setpoint[server,train]'"),
        (
            "/home/ada/.local/share/pipx/venvs/setpoint",
            "pipx runpip setpoint install 'setpoint[server,train]'",
        ),
        ("/opt/pipx/venvs/setpoint", "pipx runpip setpoint install 'setpoint[server,train]'"),
        ("/home/pipxes/venv", "pip install 'setpoint[server,train]'"),
    ],
)
def test_pipx_has_a_pip_of_its_own(monkeypatch, prefix, said):
    """A plain pip would put it elsewhere, and the command would go on missing it."""
    monkeypatch.setattr(sys, "prefix", prefix)
    assert install_command("server", "train") == said
