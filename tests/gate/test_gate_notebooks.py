"""Notebooks: a finding stands where the file has it, whatever the file's layout and escapes."""

import json

import pytest

from setpoint.gate.rule_pages import pages

CELLS = [
    {"cell_type": "markdown", "source": ["learning_rate = 0.9\n"]},
    {
        "cell_type": "code",
        "source": [
            "%matplotlib inline\n",
            "a = '\"é😀\\\\\t'; learning_rate = 0.125\n",
            "num_leaves = 37\r\n",
            "!pip install x\n",
            "max_depth = -3",
        ],
    },
    {"cell_type": "code", "source": "b = 1\rgamma = 2\nn_estimators = 777"},
    {"cell_type": "code", "source": []},
    {"cell_type": "code", "source": ["%%bash\n", "learning_rate=0.9\n"]},
    {"cell_type": "code", "source": ["%%time\n", "subsample = 0.", "625\n"]},
]
LITERALS = ["0.125", "37", "-3", "2", "777", "0.625"]


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_finding_stands_where_the_file_has_its_literal(gate, indent, ascii_only):
    """Indented, on one line, with letters escaped or not: line and columns are those of the file."""
    text = json.dumps({"cells": CELLS}, indent=indent, ensure_ascii=ascii_only)
    lines = text.split("\n")
    told = gate(**{"fit.ipynb": text})
    shown = [
        lines[f.line - 1][f.column - 1 : f.end_column - 1] for f in told.findings if f.line == f.end_line
    ]

    assert told.failures == []
    assert [str(found.value) for found in told.findings] == LITERALS
    # The last one is written in two texts, which are on two lines of an indented file.
    assert shown == (LITERALS[:-1] if indent else [*LITERALS[:-1], '0.", "625'])


def test_a_literal_in_two_texts_begins_in_one_and_ends_in_the_other(gate):
    """A line of a cell may be written in several texts."""
    text = json.dumps({"cells": CELLS[-1:]}, indent=1)
    lines = text.split("\n")
    (found,) = gate(**{"fit.ipynb": text}).findings

    assert lines[found.line - 1][found.column - 1 :].startswith('0."')
    assert found.end_line == found.line + 1
    assert lines[found.end_line - 1][: found.end_column - 1].strip() == '"625'


def test_a_cell_that_is_no_python_fails_at_its_line(gate):
    """The failure stands at the line of the cell that cannot be parsed."""
    cells = [{"cell_type": "code", "source": ["learning_rate = rate\n", "x = = 1\n"]}]
    text = json.dumps({"cells": cells}, indent=1)
    (failure,) = gate(**{"fit.ipynb": text}).failures

    assert "x = = 1" in text.split("\n")[failure.line - 1]
    assert failure.why.startswith("a cell is no Python")


@pytest.mark.parametrize(
    "source", [["learning_rate = 1\n", 2], {"learning_rate": 1}, None], ids=["numbers", "mapping", "nothing"]
)
def test_a_cell_whose_source_is_no_text_is_refused(gate, source):
    """What is no notebook is not passed as one without findings."""
    text = json.dumps({"cells": [{"cell_type": "code", "source": source}], "learning_rate": 1})

    assert ["no notebook" in failure.why for failure in gate(**{"fit.ipynb": text}).failures] == [True]


def test_no_page_is_of_a_code_that_nothing_says():
    """A notebook that cannot be read is SPG900, as any file; it has no code of its own."""
    assert "notebook" in next(page.title for page in pages() if page.code == "SPG900")
    assert "SPG405" not in {page.code for page in pages()}


def test_a_name_behind_an_escaped_line_end_is_found(gate):
    """In an included folder ``depth`` alone is a finding, also behind the letters of an escape."""
    text = json.dumps({"cells": [{"cell_type": "code", "source": "x = f()\ndepth = 6"}]})

    assert [found.said for found in gate("", **{"fit.ipynb": text}).findings] == ["depth = 6"]
