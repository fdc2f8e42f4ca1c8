"""An option of a command has a literal for its default: ``add_argument("--learning-rate", default=0.1)``.

argparse, optparse, click, typer and absl flags. An ambiguous option (``--gamma``) counts beside a distinctive
one of the file. The command would train with a value that the history of
the governed one never shows.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from setpoint.gate.flow.library_evidence import NONE
from setpoint.gate.value_sites import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.flow.library_evidence import Reading

CODE, NAME = "SPG112", "option"
NODES = (ast.Call,)
_DECLARES = frozenset(
    {"add_argument", "add_option", "option", "argument", "Option", "Argument", "make_option"}
)


def find(node: ast.Call, reading: Reading) -> Iterator[Slot]:
    """Yield a slot for the default of each option whose name is a text."""
    called = (reading.module.dotted(node.func) or getattr(node.func, "attr", "")).rpartition(".")[2]
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    texts += [
        str(k.value.value) for k in node.keywords if k.arg == "dest" and isinstance(k.value, ast.Constant)
    ]
    if called.startswith("DEFINE_"):
        defaults = node.args[1:2]
    elif called in _DECLARES or any(text.startswith("--") for text in texts):
        # typer takes the default first, where the others take a name.
        defaults = [
            arg for arg in node.args[:1] if not isinstance(arg, ast.Constant) or arg.value not in texts
        ]
    else:
        return
    defaults += [
        keyword.value for keyword in node.keywords if keyword.arg in {"default", "const", "flag_value"}
    ]
    known = reading.beside_options if defaults else NONE
    for name in texts:
        for default in defaults:
            certain = known.certain and reading.names.is_of_library(name)
            yield Slot(name.split("/")[0], default, known.library, certain)
