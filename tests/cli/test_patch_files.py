"""`setpoint set --from FILE`: many keys at once, all of them or none."""

import json

import pytest

from setpoint.change.patch import parse_patch
from setpoint.errors import InvalidDocument

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
DEPTH = "CVN_HPO_LGB_5M_MAX_DEPTH"
RATE = "CVN_HPO_XGB_5M_LEARNING_RATE"


def revisions(command):
    return len(command("history", "--json", "--limit", "99").json)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("patch.toml", f'{GAMMA} = 0.5\n"lgb/5m/max_depth_range" = "5..7:linear"\n{DEPTH} = 7\n'),
        (
            "patch.json",
            json.dumps({GAMMA: 0.5, "lgb/5m/max_depth_range": {"min": 5, "max": 7}, DEPTH: 7}),
        ),
        ("patch.csv", f"key,value\n{GAMMA},0.5\nlgb/5m/max_depth_range,5..7\n# a note\n\n{DEPTH},7\n"),
    ],
)
def test_a_patch_sets_many_keys_in_one_revision(seeded, tmp_path, name, text):
    """TOML, JSON and CSV say the same thing, and a range is one entry of each."""
    (tmp_path / name).write_text(text)
    before = revisions(seeded)
    done = seeded("set", "--from", str(tmp_path / name), "-r", "tuned", "--yes", "--json")

    assert done.code == 0, done.err
    assert {edit["key"]: edit["new"] for edit in done.json["edits"]} == {
        GAMMA: 0.5,
        DEPTH: 7,
        f"{DEPTH}_RANGE_MIN": 5,
        f"{DEPTH}_RANGE_MAX": 7,
    }
    assert revisions(seeded) == before + 1


def test_a_half_valid_file_changes_nothing_and_names_every_problem_with_its_line(seeded, tmp_path):
    """Two good lines among four bad ones are not taken."""
    patch = tmp_path / "patch.toml"
    patch.write_text(
        f"{GAMMA} = 0.5\n{DEPTH} = 7.5\n\nCVN_HPO_XGB_5M_GAMA = 1.0\n{RATE} = -0.0\n"
        f'"xgb/5m/gamma" = 0.6\nCVN_HPO_LGB_5M_NUM_LEAVES = 40\n'
    )
    before = revisions(seeded)
    done = seeded("set", "--from", str(patch), "-r", "tuned", "--yes")

    assert done.code == 3
    assert "line 2: " + DEPTH in done.err
    assert "line 4: CVN_HPO_XGB_5M_GAMA shares the prefix" in done.err
    assert f"did you mean {GAMMA}" in done.err
    assert "line 5: " + RATE in done.err
    assert f"line 6: {GAMMA} is given twice, first on line 1" in done.err
    assert "mend 4 problem(s)" in done.err
    assert revisions(seeded) == before


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("toml", f"{GAMMA} = 0.5\n{GAMMA} = 0.6\n", "line 2"),
        ("toml", f"{GAMMA} = \n", "line 1"),
        ("toml", f"{GAMMA} = nan\n", "not a finite number"),
        ("toml", f"{GAMMA} = 2026-01-01\n", "got date"),
        ("toml", f"[{GAMMA}]\nx = 1.0\n", "got dict"),
        ("json", f'{{"{GAMMA}": 0.5, "{GAMMA}": 0.6}}', "is given twice"),
        ("json", f'{{\n"{GAMMA}": "0.5"\n}}', "line 2"),
        ("json", "[1]", "expected one JSON object"),
        ("json", f'{{"{GAMMA}": 1e999}}', "no float holds 1e999"),
        ("csv", f"{GAMMA},0.5\n{GAMMA},0.6\n", f"line 2: {GAMMA} is given twice, first on line 1"),
        ("csv", f"key,value\n{GAMMA},0.5,0.6\n{DEPTH},x\n", "line 3"),
        ("csv", f"key,value\n{GAMMA}\n", "line 2: CVN_HPO_XGB_5M_GAMMA: 1 columns"),
        ("csv", f"{GAMMA},1_0\n", "does not read as float"),
        ("csv", '"half,1\n', "line 1"),
        ("toml", '"lgb/5m/max_depth_range" = { min = 4 }\n', "a range has min, max"),
        ("csv", "lgb/5m/max_depth_range,4-7\n", "MIN..MAX"),
    ],
)
def test_what_a_patch_must_not_say_is_refused(catalogues, form, text, said):
    """Whatever is no value of its parameter is refused with its place."""
    with pytest.raises(InvalidDocument) as refused:
        parse_patch(text, form, catalogues, "patch")

    assert said in str(refused.value)


def test_a_null_removes_a_key_or_a_range(catalogues):
    """Null is written on purpose, as an empty text is not; it removes what `setpoint unset` would."""
    removed = parse_patch(f'{{"{GAMMA}": null, "cb/5m/depth_range": null}}', "json", catalogues, "patch")

    fields = ("MIN", "MAX", "SCALE")
    assert removed == ({}, (GAMMA, *(f"CVN_HPO_CB_5M_DEPTH_RANGE_{field}" for field in fields)))


def test_pairs_join_a_file_and_a_key_given_twice_is_refused(seeded, tmp_path):
    """A command line adds to a patch; it does not quietly override it."""
    patch = tmp_path / "patch.csv"
    patch.write_text(f"{GAMMA},0.5\n")
    twice = seeded("set", "xgb/5m/gamma=0.7", "--from", str(patch), "-r", "tuned", "--yes")
    pairs = seeded("set", f"{GAMMA}=0.7", "xgb/5m/gamma=0.8", "-r", "tuned", "--yes")
    both = seeded("set", f"{DEPTH}=7", "--from", str(patch), "-r", "tuned", "--yes", "--json")

    assert (twice.code, pairs.code, both.code) == (2, 2, 0)
    assert f"{GAMMA}: given twice" in twice.err
    assert [edit["key"] for edit in both.json["edits"]] == [DEPTH, GAMMA]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("patch.yaml", b"", "must end in .toml, .json or .csv"),
        ("patch.csv", b"\xff\xfe", "cannot be read"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_patch_is_named(seeded, tmp_path, name, content, said):
    """The error names the file and what it should have been."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = seeded("set", "--from", str(tmp_path / name), "-r", "tuned", "--yes")

    assert done.code == 3
    assert name in done.err
    assert said in done.err


def test_a_patch_that_breaks_an_invariant_is_refused_whole(seeded, tmp_path):
    """Values that are fine alone and wrong together do not come in."""
    patch = tmp_path / "patch.csv"
    patch.write_text(f"{GAMMA},0.5\n{DEPTH}_RANGE_MIN,9\n{DEPTH}_RANGE_MAX,10\n")
    before = revisions(seeded)
    done = seeded("set", "--from", str(patch), "-r", "tuned", "--yes")

    assert done.code == 3
    assert "invariant" in done.err
    assert revisions(seeded) == before


def test_setting_nothing_is_a_usage_error(seeded):
    """Neither pairs nor a file: the next step is named."""
    done = seeded("set", "-r", "nothing", "--yes")

    assert done.code == 2
    assert "--from FILE" in done.err


@pytest.mark.parametrize(
    ("form", "text", "lines"),
    [
        ("toml", f'# {GAMMA} = "x"\n\n{GAMMA} = "x"\n', [3]),
        ("toml", f'"note" = "{GAMMA} = 1"\n"{GAMMA}"="x"  # {DEPTH} = 7\n{DEPTH} = "y"\n', [1, 2, 3]),
        ("toml", f"'note' = 'it # is'\n{GAMMA}\t= \"x\"\n", [1, 2]),
        ("json", f'{{"note": "\\"{GAMMA}\\": 1",\n"{GAMMA}": "x", "{DEPTH}": "y"}}', [1, 2, 2]),
    ],
)
def test_a_problem_is_on_the_line_where_its_name_is_given_a_value(catalogues, form, text, lines):
    """Not where a comment or another value only speaks of it."""
    with pytest.raises(InvalidDocument) as refused:
        parse_patch(text, form, catalogues, "it")

    found = [int(problem.split(":")[0].removeprefix("line ")) for problem in refused.value.where["problems"]]
    assert found == lines
