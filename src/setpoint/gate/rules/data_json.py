"""GATE: SPG401 ``literal-in-json``: a hyperparameter's value stands in a JSON file.

A file of parameters beside the code is a second home of values: no author, no bounds, no
history.

Caught: ``{"xgb": {"max_depth": 8}}``, numeric texts, lists of numbers, JSON lines, the default of a schema.
Left alone: null, flags, bounds of a schema, ambiguous names (``alpha``) with no library around.

Instead: read the value with ``resolve``; give the file the key's name, never its value.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from setpoint.gate.formats.json_tokens import flow_pairs
from setpoint.gate.formats.name_value_pairs import judged
from setpoint.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.finding import Finding
    from setpoint.gate.formats.embedded_texts import Pair
    from setpoint.gate.judgement import Judge

CODE, NAME = "SPG401", "literal-in-json"
SUFFIXES = (".json", ".jsonl")

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def findings(text: str, path: str, judge: Judge) -> list[Finding]:
    """Return what a JSON or JSON lines file holds.

    Raises:
        Unjudgeable: it is no JSON.
    """
    pairs = list(_lines(text) if path.endswith(".jsonl") else json_pairs(text))
    return list(judged(pairs, path, judge, rule=CODE, text=text))


def json_pairs(text: str, line: int = 1, mapping: int = 0) -> Iterator[Pair]:
    """Yield the pairs of one JSON document that begins on ``line``; mappings count from ``mapping``."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise Unjudgeable(
            f"this is no JSON: {problem}", line=line + getattr(problem, "lineno", 1) - 1
        ) from None
    yield from flow_pairs(text, _TOKEN, line=line, mapping=mapping)


def _lines(text: str) -> Iterator[Pair]:
    # A text in JSON may hold what ends a line elsewhere, such as U+2028.
    for count, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield from json_pairs(line, line=count, mapping=count * len(text))
