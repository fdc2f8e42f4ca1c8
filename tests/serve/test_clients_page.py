"""The page on clients says what runs: each Python block, in order, on a real plane."""

import re
import shutil
from pathlib import Path

import pytest
from openfeature import api

from planes import credential, open_accounts

PAGE = Path(__file__).parents[2] / "docs/clients.md"
SEEDS = PAGE.parents[1] / "src/setpoint/declare/seeds"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[-1][:30])
def test_a_block_of_the_page_runs(seeded, lively, owner_url, monkeypatch, tmp_path, capsys, block):
    """What the page shows works as it stands, with the two settings and the folder that it names."""
    open_accounts(owner_url)
    monkeypatch.setenv("SETPOINT_URL", lively.url)
    monkeypatch.setenv("SETPOINT_TOKEN", credential(owner_url, "cy", "token"))
    shutil.copytree(SEEDS, tmp_path / "hyperparameters/seeds")
    monkeypatch.chdir(tmp_path)
    try:
        exec(compile(block, str(PAGE), "exec"), {})  # noqa: S102 - our own page
    finally:
        api.clear_providers()
    if "print(strict" in block:
        said = capsys.readouterr().out
        assert said.startswith("0.08 v")
        assert said.endswith("\n0.08 7\n")


def test_the_page_shows_each_way():
    """Pin, watch, plain requests and OpenFeature each have a block."""
    shown = "\n".join(BLOCKS)

    assert all(call in shown for call in ("setpoint.pin(", "setpoint.watch(", "Plane(", "SetpointProvider("))
