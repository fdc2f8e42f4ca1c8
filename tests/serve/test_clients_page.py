"""README and the page on clients say what runs: each Python block, in order, on a real plane."""

import ast
import shutil
from pathlib import Path

import optuna
import pytest
from openfeature import api

import setpoint
from support.pages import blocks
from support.planes import credential, open_accounts

PAGE = Path(__file__).parents[2] / "docs/clients.md"
SEEDS = PAGE.parents[1] / "src/setpoint/declare/seeds"
BLOCKS = [
    block.text
    for page in (PAGE.parents[1] / "README.md", PAGE)
    for block in blocks(page)
    if block.language == "python"
]


def shown_values(block):
    """Yield each expression of a block whose comment begins with a value, and that comment."""
    lines = block.splitlines()
    for node in ast.parse(block).body:
        code, _, comment = lines[node.lineno - 1].partition("  # ")
        if isinstance(node, ast.Expr) and (comment[:1].isdigit() or comment.startswith(("Rounds", "Range"))):
            yield code, comment


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[-1][:30])
def test_a_block_of_the_page_runs(seeded, lively, owner_url, monkeypatch, tmp_path, capsys, block):
    """What the page shows works as it stands, with the two settings and the folder that it names."""
    open_accounts(owner_url)
    monkeypatch.setenv("SETPOINT_URL", lively.url)
    monkeypatch.setenv("SETPOINT_TOKEN", credential(owner_url, "cy", "token"))
    shutil.copytree(SEEDS, tmp_path / "hyperparameters/seeds")
    monkeypatch.chdir(tmp_path)
    try:
        names = {"setpoint": setpoint, "trial": optuna.create_study().ask()}
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - our own page
        for code, comment in shown_values(block):
            assert comment.startswith(repr(eval(code, names))), code  # noqa: S307 - our own page
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
