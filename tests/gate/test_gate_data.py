"""Data files: what a format's own parser reads, the gate's scanner reads too, and at the right place."""

import json
import tomllib
from pathlib import Path

import pytest

from setpoint.declare.loading import bundled_catalogues, load_catalogues
from setpoint.errors import SetpointError
from setpoint.gate.formats.data_files import findings_in_data, is_data
from setpoint.gate.judgement import Judge
from setpoint.gate.names.spellings import Names
from setpoint.gate.scan import Reader
from setpoint.gate.unjudgeable import Unjudgeable


@pytest.fixture(scope="module")
def judge():
    return Judge(
        Names.load(load_catalogues(",".join(bundled_catalogues()))), {"CVN_HPO_XGB_5M_LEARNING_RATE": 0.08}
    )


def said(judge, path, text):
    """Return (line, column, name, value) of each finding in a data file."""
    python = Reader(Path(), judge).python
    return [(f.line, f.column, f.name, f.value) for f in findings_in_data(text, path, judge, python)]


def numbers(node, key=""):
    """Yield (key, number) of a parsed document, each list's first number only."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from numbers(value, str(name))
    elif isinstance(node, list):
        if node and all(isinstance(one, int | float) for one in node):
            yield key, node[0]
        else:
            for one in node:
                yield from numbers(one, key)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield key, node


YAML = """\
%YAML 1.1
---
# learning_rate: 9
xgb: &base   # an anchor
  learning_rate: 0.1
  "reg_alpha": 2   # quoted
  'reg_lambda': 3
  nested:
    - num_leaves: 31
      note: "a: b, num_leaves: 7"
    -
      min_child_samples: 20
    - - subsample: 0.5
  flow: {bagging_fraction: 0.8, inner: [ {feature_fraction: 0.7}, x ],
         min_child_weight: 4}   # over two lines
lgb:
  <<: *base
  text: |
    the learning_rate is 5 here

    and num_leaves is prose
  folded: >-
    learning_rate and so on
  long: "a quoted text
    learning_rate: 6 that goes on"
  colsample_bytree:
  - 0.6
  - 0.7
  learning_rate: 1e-3
  l2_leaf_reg: -1.5
  n_estimators: null
  max_depth: ~
  reg_alpha: true
...
---
early_stopping_rounds: 50
"""


def test_the_yaml_scanner_reads_what_a_yaml_parser_reads(judge):
    """Over one document with every form that it follows, the scanner finds the parser's numbers, in order."""
    yaml = pytest.importorskip("yaml")
    parsed = [
        pair
        for document in yaml.safe_load_all(YAML.replace("  <<: *base\n", ""))
        for pair in numbers(document)
    ]
    found = [(name, value) for _, _, name, value in said(judge, "all.yaml", YAML)]

    # PyYAML follows YAML 1.1, where 1e-3 without a point is a text; to a reader of files it is a number.
    assert [pair for pair in found if pair != ("learning_rate", 0.001)] == parsed
    assert ("learning_rate", 0.001) in found


def test_a_place_in_a_data_file_is_where_the_value_is_written(judge):
    """Line and column point at the first character of the value, in every format."""
    files = {
        "a.json": '{\n  "a": {"learning_rate":  0.25}\n}',
        "a.yaml": "a:\n  b: {learning_rate:  0.25}\n",
        "b.yaml": "- x: 1\n  learning_rate: &here 0.25 # now\n",
        "a.toml": "# x\n[a]\nb = { learning_rate = 0.25 }\n",
        "a.env": "A=1\nexport LEARNING_RATE='0.25'\n",
        "a.ini": "[a]\nlearning_rate : 0.25 ; now\n",
    }
    for path, text in files.items():
        ((line, column, name, value),) = said(judge, path, text)

        assert (name.lower(), value) == ("learning_rate", 0.25), path
        assert text.splitlines()[line - 1][column - 1 :].strip("'\"").startswith("0.25"), path


def test_a_finding_in_data_says_the_key_and_compares_with_its_value(judge):
    """The message names the key and the value it has; the fix reads it."""
    text = json.dumps({"CVN_HPO_XGB_5M_LEARNING_RATE": 0.1})
    (found,) = findings_in_data(text, "env.json", judge, lambda *_: [])

    assert found.key == "CVN_HPO_XGB_5M_LEARNING_RATE"
    assert "the seeded value is 0.08" in found.message
    assert not found.fix, "a call of Python is no line of this file"


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.json", '{"learning_rate": 0.1', 1),
        ("a.jsonl", '{"learning_rate": null}\n{,}\n', 2),
        ("a.toml", "learning_rate = 1\nlearning_rate = 2\n", 2),
        ("a.yaml", "learning_rate: {a: 1\n", 1),
        ("a.yaml", "a: 1\nlearning_rate: 'open\n", 2),
        ("a.yaml", "a:\n\tlearning_rate: 1\n", 2),
        ("a.ipynb", '{"cells": {}}', 1),
        ("a.ipynb", '{"cells": [{"cell_type": "code",\n "source": ["learning_rate = ("]}]}', 2),
    ],
)
def test_what_cannot_be_followed_is_refused(judge, path, text, line):
    """A file that is not what its name says, or that is not followed, is a failure with a line."""
    with pytest.raises(Unjudgeable) as caught:
        said(judge, path, text)

    assert caught.value.line == line
    assert not isinstance(caught.value, SetpointError)


#: Valid files of the other formats, each with one parameter behind the form that it shows.
VALID = {
    "a.toml": [
        'a = """one \\""" { [ two"""\nlearning_rate = 0.1',
        'a = """"quoted"""""\nlearning_rate = 0.1',
        "a = ''''quoted \\''''\nlearning_rate = 0.1",
        'a = """\n  one \\\n  ]\n"""\nlearning_rate = 0.1',
        'a = [ # it\'s ]\n  "]", \'[\', # "\n]\nlearning_rate = 0.1',
        'a = 1979-05-27 07:32:00\nb = [{c = "}"}, {d = []}]\nlearning_rate = 0.1',
        '["a]".\'b\'.c]\n"d e" . f = 1\n[[g]]\nlearning_rate = 0.1',
        'a = "\\" # ["\r\nlearning_rate = 0.1\r\n',
        "a = {b.c = 1, d = {}}\nlearning_rate = +1e-1",
    ],
    "a.json": [
        '{"a": "\\"}{[", "b": [[], {}], "learning_rate": 0.1}',
        '[NaN, -Infinity, "\u2028", {"learning_rate": 1E-1}]',
        '\n{"a"\n:\n[1,\n2], "learning_rate"\n:\n0.1}\n',
    ],
    "a.jsonl": ['{"a": "\u2028 \x85"}\r\n\n{"learning_rate": 0.1}\n'],
    ".env": ['A="one\n {two ["\nexport  LEARNING_RATE = 0.1', "A='#' # it's\n: x\nLEARNING_RATE=0.1"],
    "a.ini": ["[a\n=\n[b]\nc\n  d = 'e\nlearning_rate = 0.1", "[a]\nx : [\nlearning_rate: 0.1"],
}  # fmt: skip


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in VALID.items() for text in texts])
def test_valid_files_of_other_formats_are_read(judge, path, text):
    """What the format's own parser accepts never stops the gate, and the parameter behind it is found."""
    if path == "a.toml":
        tomllib.loads(text)

    assert [(name.lower(), value) for _, _, name, value in said(judge, path, text)] == [
        ("learning_rate", 0.1)
    ]


def test_a_notebook_in_every_valid_form_is_read(judge):
    """Sources as one text or as lines, empty cells, magics, shell and help in any place."""
    rows = [
        "%matplotlib inline\n",
        "files = !ls\n",
        "where = %pwd\n",
        "?print\n",
        "x = 1\n",
        "await load()\n",
        "learning_rate = 0.1",
    ]
    cells = [
        {"cell_type": "code", "source": rows, "metadata": {}, "outputs": [], "execution_count": None},
        {"cell_type": "code", "source": ""},
        {"cell_type": "code", "source": "%%time\nmax_depth = 6"},
        {"cell_type": "code", "source": "%%html\n<b>{"},
        {"cell_type": "markdown", "source": ["learning_rate = ("]},
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})

    assert [(name, value) for _, _, name, value in said(judge, "a.ipynb", text)] == [("learning_rate", 0.1)]


def test_results_and_metadata_of_a_notebook_are_not_read(judge):
    """Only code cells count, magics and other languages aside."""
    cells = [
        {
            "cell_type": "code",
            "metadata": {"learning_rate": 1},
            "outputs": [{"learning_rate": 1}],
            "source": [],
        },
        {"cell_type": "raw", "source": "learning_rate = 1"},
        {"cell_type": "code", "source": "%%bash\nexport learning_rate=1"},
        {"cell_type": "code", "source": ["%time fit()\n", "!pip list\n", "rates?\n", "learning_rate = 0.1"]},
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1)
    ((line, _, name, value),) = said(judge, "a.ipynb", text)

    assert (name, value) == ("learning_rate", 0.1)
    assert "learning_rate = 0.1" in text.splitlines()[line - 1]


@pytest.mark.parametrize(
    ("path", "line", "equal"),
    [
        ("a.toml", "CVN_FTF_TPE_MULTIVARIATE = true", True),
        ("a.toml", "CVN_FTF_TPE_MULTIVARIATE = false", False),
        ("a.yml", "CVN_FTF_TPE_MULTIVARIATE: True", True),
        ("a.env", "CVN_FTF_TPE_MULTIVARIATE=true", True),
        ("a.toml", "CVN_FTF_TPE_MULTIVARIATE = 1", False),
        ("a.json", '{"CVN_FTF_TPE_MULTIVARIATE": 1.0}', False),
    ],
)
def test_booleans_are_compared_as_such(path, line, equal):
    """`true` in a file is the value true, however the format writes it; 1 is a number, and no truth."""
    key = "CVN_FTF_TPE_MULTIVARIATE"
    names = Names.load(load_catalogues(",".join(bundled_catalogues())))
    judge = Judge(names, {key: True}, declared=True)
    (found,) = findings_in_data(line + "\n", path, judge, Reader(Path(), judge).python)

    assert found.agrees is equal
    assert ("the literal equals the seeded value" in found.message) is equal


def test_the_formats_are_told_by_name():
    """Environment files have many names; anything else is no data."""
    known = (
        "a.json",
        "a.JSONL",
        "x/b.yml",
        ".env",
        "deploy/.env.production",
        "train.env",
        "a.conf",
        "n.ipynb",
    )

    assert all(map(is_data, known))
    assert not any(map(is_data, ("a.py", "README.md", "Makefile", "environment", "a.parquet")))
