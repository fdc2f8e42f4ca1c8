"""GOVERN: SPG301 ``literal-in-json``: a hyperparameter's value stands in a JSON file.

A file of parameters beside the code is a second place that values live in: it has no author, no bounds and no
history, and nobody sees the two drift apart.

Caught: ``{"xgb": {"max_depth": 8}}``, numeric texts, lists of numbers, JSON lines, the default of a schema.
Left alone: null, flags, bounds of a schema, ambiguous names (``alpha``) with nothing of a library around them.

Instead: read the value with ``resolve``; give the file the key's name, never its value.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from setpoint.govern.gate.pairs import Pair, judge
from setpoint.govern.gate.unjudgeable import Unjudgeable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.gate.finding import Finding
    from setpoint.govern.gate.names import Names

CODE = "SPG301"
NAME = "literal-in-json"
SUFFIXES = (".json", ".jsonl")

_COLON = re.compile(r"\s*:")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def findings(text: str, path: str, names: Names) -> list[Finding]:
    """Return what a JSON or JSON lines file holds.

    Raises:
        Unjudgeable: it is no JSON.
    """
    pairs = list(_lines(text) if path.endswith(".jsonl") else json_pairs(text))
    return list(judge(pairs, path, names, CODE, text))


def json_pairs(text: str, line: int = 1, mapping: int = 0) -> Iterator[Pair]:
    """Yield the pairs of one JSON document that begins on ``line``; mappings count from ``mapping``."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise Unjudgeable(f"this is no JSON: {problem}", line=line + getattr(problem, "lineno", 1) - 1) from None
    yield from _walk(text, line, mapping)


def _lines(text: str) -> Iterator[Pair]:
    for count, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield from json_pairs(line, line=count, mapping=count * len(text))


def _walk(text: str, line: int, mapping: int) -> Iterator[Pair]:
    """Follow the tokens of a text that is known to be JSON; ``open_`` holds (key, mapping) of each level."""
    open_: list[tuple[str, int]] = []
    key, last, at = "", "", 0
    for token in _TOKEN.finditer(text):
        written = token.group()
        line, at = line + text.count("\n", at, token.start()), token.start()
        if written in "{[":
            mapping += 1
            open_.append((key, mapping if written == "{" else open_[-1][1] if open_ else mapping))
            key = key if written == "[" else ""
        elif written in "}]":
            key = open_.pop()[0]
        elif written == ":":
            key = json.loads(last)
        elif written != "," and open_ and not _COLON.match(text, token.end()):
            start = at - text.rfind("\n", 0, at)
            above = tuple(name for name, _ in open_ if name and name != key)
            value = json.loads(written) if written[0] == '"' else written
            yield Pair(key, value, line, start, len(written), above, open_[-1][1])
        last = written
