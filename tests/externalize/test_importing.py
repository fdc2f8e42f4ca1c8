import json
import subprocess
import sys

import pytest

from setpoint.errors import InvalidError
from setpoint.externalize.source_text.import_insertion import binds_setpoint, with_import

#: Files whose last line needs the import, sorted as isort would; ``+`` is where it goes.
SORTED = {
    "nothing": "+import setpoint\n+\nx = 1\n",
    "docstring": '"""Doc."""\n+\n+import setpoint\n\nx = 1\n',
    "docstring_tight": '"""Doc."""\n+\n+import setpoint\n+\nx = 1\n',
    "docstring_far": '"""Doc."""\n\n\n+import setpoint\n\nx = 1\n',
    "docstring_definition": '"""Doc."""\n+\n+import setpoint\n\n\ndef f():\n    return 1\n',
    "definition": "+import setpoint\n+\n+\ndef f():\n    return 1\n",
    "decorated": "+import setpoint\n+\n+\n@d\nclass A:\n    x = 1\n",
    "first_lines": "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n+\n+import setpoint\n+\nx = 1\n",
    "license": "# Copyright\n# MIT\n+\n+import setpoint\n\nx = 1\n",
    "attached_comment": "+import setpoint\n+\n# The rate.\nx = 1\n",
    "future": "from __future__ import annotations\n+\n+import setpoint\n\nx = 1\n",
    "standard": "import os\nfrom pathlib import Path\n+\n+import setpoint\n\nx = 1\n",
    "standard_definition": "import os\n+\n+import setpoint\n\n\ndef f():\n    return 1\n",
    "after": "import numpy as np\n+import setpoint\n\nx = 1\n",
    "before": "+import setpoint\nimport xgboost as xgb\n\nx = 1\n",
    "between": "import os\n\nimport a\n+import setpoint\nimport xgb\nfrom c import d\n\nfrom . import e\n\nx",
    "before_from": "import os\n\n+import setpoint\nfrom sklearn import (\n    a,\n    b,\n)\n\nx = 1\n",
    "relative": "+import setpoint\n+\nfrom . import a\n\nx = 1\n",
    "standard_relative": "import os\n+\n+import setpoint\n\nfrom . import a\n\nx = 1\n",
    "own": "import os\n+\n+import setpoint\n\n# Ours.\nfrom ours import a\n\nx = 1\n",
    "comment": "import os\n\n+import setpoint\n+\n# Boosters.\nimport xgboost\n\nx = 1\n",
    "head_comment": "# Copyright\n+import setpoint\nimport xgboost\n\nx = 1\n",
    "trailing_comment": "import numpy  # noqa: F401\n+import setpoint\nimport xgboost  # why\n\nx = 1\n",
    "case": "import numpy\nimport PIL\n+import setpoint\nimport SQL\nimport Torch\n\nx = 1\n",
    "alias": "import numpy\n+import setpoint\nimport setpoint as sp\nimport setpoint_other\n\nx = sp\n",
    "dotted": "import scipy.stats\n+import setpoint\nimport sklearn.metrics as m\n\nx = 1\n",
    "guarded": "+import setpoint\n+\ntry:\n    import xgboost\nexcept ImportError:\n    x = 1\n",
    "interrupted": 'import warnings\n\nwarnings.simplefilter("ignore")\n\nimport a\n+import setpoint\n\nx',
    "types": "from typing import TYPE_CHECKING\n+\n+import setpoint\n\nif TYPE_CHECKING:\n    import a\n\nx",
    "windows": "import os\r\n+\r\n+import setpoint\r\n\r\nx = 1\r\n",
    "no_last_newline": "+import setpoint\n+\nx = 1",
}


def without(marked):
    """Return the lines that a file has before the import is added."""
    return "".join(line for line in marked.splitlines(keepends=True) if not line.startswith("+"))


def needed(text):
    return len(text.splitlines())


@pytest.mark.parametrize("name", SORTED)
def test_the_import_stands_where_isort_puts_it(name):
    """One line is added in its group, with the blank lines that a group of its own needs."""
    text = without(SORTED[name])

    assert with_import(text, needed(text), {"ours"}) == SORTED[name].replace("+", "")


def test_ruff_finds_the_imports_sorted(tmp_path):
    """The import rules, of the linter that most projects run, have nothing to say of any of these files."""
    for name, marked in SORTED.items():
        text = without(marked)
        new = with_import(text, needed(text), {"ours"})
        (tmp_path / f"case_{name}.py").write_bytes(new.encode())
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "I"]
    own = ["--config", 'lint.isort.known-first-party=["ours"]', "--output-format", "json", "."]
    done = subprocess.run([*command, *own], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert [found["filename"] for found in json.loads(done.stdout)] == []


@pytest.mark.parametrize(
    "text",
    ["import setpoint\nx = 1\n", "import setpoint, os\nx = 1\n", "x = 2\nimport os, setpoint\nx = 1\n",
     "import setpoint.errors\nx = 1\n", "import setpoint as setpoint\nx = 1\n"],
)  # fmt: skip
def test_an_import_that_is_there_is_enough(text):
    """A file that imports the package at its top level stays as it is."""
    assert with_import(text, needed(text)) == text


def test_the_import_comes_before_its_first_use():
    """An import below the first use is too late, so one is added above it."""
    text = '"""Doc."""\n\nx = 1\n\nimport xgboost\nimport setpoint\n'

    assert with_import(text, 3) == text.replace("\n\nx", "\n\nimport setpoint\n\nx")


def test_a_file_without_a_line_for_it_is_refused():
    """Nothing can stand between a docstring and what shares its line."""
    with pytest.raises(InvalidError, match="no line before line 1"):
        with_import('"""Doc."""; x = 1\n', 1)


@pytest.mark.parametrize(
    "text",
    ["setpoint = 1", "setpoint: int", "setpoint += 1", "del setpoint", "def setpoint(): ...",
     "class setpoint: ...", "def f(setpoint): ...", "f = lambda *setpoint: 1", "import x as setpoint",
     "from x import setpoint", "from x import y as setpoint", "for setpoint in x: ...",
     "with x as setpoint: ...", "(setpoint := 1)", "[1 for setpoint in x]", "import setpoint.x as setpoint",
     "try: ...\nexcept E as setpoint: ...", "match x:\n    case {**setpoint}: ...",
     "match x:\n    case [*setpoint]: ...", "match x:\n    case 1 as setpoint: ...",
     "def f():\n    x = 1\n    import setpoint", "\ufeffsetpoint = 1"],
)  # fmt: skip
def test_another_meaning_of_the_name_is_seen(text):
    """A file that calls something else setpoint cannot read values by that name."""
    assert binds_setpoint(text)


@pytest.mark.parametrize(
    "text",
    ["import setpoint", "import setpoint.errors", "import setpoint as sp", "import setpoint as setpoint",
     "from setpoint import pin", "setpoint.resolve()", "self.setpoint = 1", "f(setpoint=1)", "x.setpoint()",
     "setpoint[0] = 1", "x = 'setpoint = 1'"],
)  # fmt: skip
def test_the_package_itself_and_attributes_are_no_other_meaning(text):
    """Reading the name, and attributes and keywords of that name, leave it to the package."""
    assert not binds_setpoint(text)
