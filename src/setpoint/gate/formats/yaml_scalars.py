"""GATE: the scalars of YAML: where one ends, and the characters that it means.

Guarantees: lines are folded and escapes read as YAML has it, so that no value hides behind them.
"""

from __future__ import annotations

import re

#: A quoted scalar, which may go over several lines.
QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""", re.DOTALL)
_PLAIN = (
    r"""(?:[^\s,\[\]{}#&*!|>'"%@`:?-]|[-?:](?=[^\s,\[\]{}]))"""
    r"""(?:[^\s,\[\]{}:#]|:(?=[^\s,\[\]{}])|(?<=\S)\#|\s+(?=[^\s,\[\]{}:#]|:(?=[^\s,\[\]{}])))*"""
)
#: The tokens of a flow collection; what a list or a mapping begins with, ends with or holds.
FLOW = re.compile(
    rf"""{QUOTED.pattern}|[\[\]{{}},]|(?<=["'\]}}]):|:(?=[\s,\[\]{{}}]|\Z)|\?(?=\s)|\#[^\n]*"""
    rf"""|!<[^>\n]*>|[&!*][^\s,\[\]{{}}]*|{_PLAIN}""",
    re.DOTALL,
)
_BREAK = re.compile(r"[ \t]*\n[ \t]*((?:\n[ \t]*)*)")
_JOINED = re.compile(r"\\\n[ \t]*")
_ESCAPE = re.compile(r"\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))", re.DOTALL)
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "_": "\xa0", "N": "\x85", " ": " "}


def scalar(written: str) -> str:
    """Return the characters that a scalar means: without quotes, lines folded, escapes read."""
    if written[:1] == '"':
        return _ESCAPE.sub(_character, folded(_JOINED.sub("", written[1:-1])))
    if written[:1] == "'":
        return folded(written[1:-1].replace("''", "'"))
    return folded(written)


def folded(text: str) -> str:
    """Return a text with its line ends as YAML reads them: one is a blank, more are line ends."""
    return _BREAK.sub(lambda found: "\n" * found[1].count("\n") or " ", text)


def plain_end(text: str, at: int) -> int:
    """Return where a plain scalar of a block ends on its line: before ``: ``, a comment or the line's end."""
    end = text.find("\n", at)
    line = text[at:] if end < 0 else text[at:end]
    stop = _STOP.search(line)
    return at + len(line[: stop.start() if stop else len(line)].rstrip())


_STOP = re.compile(r"[ \t]#|:(?=\s|\Z)")


def _character(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if not code:
        return _MEANT.get(found[4], found[4])
    return chr(int(code, 16)) if int(code, 16) < 0x110000 else "\ufffd"
