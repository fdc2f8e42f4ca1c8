"""SERVE: the process that draws statistical charts; started by ``chart_worker``, and by nothing else.

It reads Vega-Lite specifications from its input and writes an SVG for each to its output; both begin with
their length in four bytes, and an answer without a byte says that there is no drawing. Guarantees: it
fetches nothing, takes no more than ``MOST_BYTES`` of memory, and ends with its input, or when nothing was
asked for ``IDLE_S``. It is a program of its own because the library cannot be used on either side of a fork.
"""

from __future__ import annotations

import os
import resource
import select
import struct
import sys

import vl_convert

LENGTH = struct.Struct(">I")
#: Of its own data, code aside: some ten times what a chart takes.
MOST_BYTES = 2**30
IDLE_S = 300.0


def serve(asked: int, answers: int) -> None:
    """Draw what one file descriptor asks for, and answer on the other."""
    with os.fdopen(asked, "rb", buffering=0) as source, os.fdopen(answers, "wb") as told:
        while select.select([source], [], [], IDLE_S)[0]:
            head = _read(source.fileno(), LENGTH.size)
            if not head:
                return
            drawn = _drawn(_read(source.fileno(), LENGTH.unpack(head)[0]))
            told.write(LENGTH.pack(len(drawn)) + drawn)
            told.flush()


def _drawn(specification: bytes) -> bytes:
    try:
        return str(vl_convert.vegalite_to_svg(specification.decode(), allowed_base_urls=[])).encode()
    except ValueError as problem:
        sys.stderr.write(f"{problem}\n")
        return b""


def _read(source: int, length: int) -> bytes:
    found = b""
    while len(found) < length:
        more = os.read(source, length - len(found))
        if not more:
            return b""
        found += more
    return found


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    # The library may print: what it prints must not be taken for an answer.
    own = os.dup(1)
    os.dup2(2, 1)
    serve(0, own)
