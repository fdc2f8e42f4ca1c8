"""SERVE: statistical charts, drawn in a process of their own and kept while they are asked for.

Guarantees: who waits for a chart waits in a line of its own, so that nobody else's request does; a process
that takes longer than ``DRAWN_WITHIN_S``, or that ends by itself, is replaced at the next chart. A chart is
kept by the hash of what it shows, and the least asked for is forgotten first. Refuses to draw where the
library is not installed, and says what to install.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections import OrderedDict
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING

from setpoint.errors import UnavailableError, reason_of
from setpoint.serve.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWN_WITHIN_S = 10.0
#: For its turn and its drawing: a page has about a dozen charts, at some 50 ms each.
ANSWERED_WITHIN_S = 30.0
#: Of charts that are kept.
MOST_KEPT_BYTES = 16 * 2**20
INSTALL = "pip install 'setpoint[charts]'"
_LENGTH_BYTES = 4
_RENDERER = (sys.executable, "-m", "setpoint.serve.chart_renderer")
#: All that the renderer is told of this process: nothing of it is a secret.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")


def can_draw() -> bool:
    """Say whether charts can be drawn here: whether the library is installed."""
    return find_spec("vl_convert") is not None


class ChartWorker:
    """Draws charts, one at a time; the process is started with the first one.

    Args:
        command: of the process.
        within_s: how long one chart may take.
    """

    def __init__(self, command: tuple[str, ...] = _RENDERER, within_s: float = DRAWN_WITHIN_S) -> None:
        self._command, self._within_s = command, within_s
        self._turns = Turns("a chart", 1, ANSWERED_WITHIN_S)
        self._process: subprocess.Popen[bytes] | None = None
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def draw(self, specification: str) -> bytes:
        """Return the SVG of a Vega-Lite specification.

        Raises:
            UnavailableError: the library is not installed, too many wait, or the process gave no answer.
        """
        if not can_draw():
            raise UnavailableError("charts cannot be drawn on this plane.", hint=INSTALL)
        name = sha256(specification.encode()).hexdigest()
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        drawn = await self._turns.run(self._drawn, specification.encode())
        self._keep(name, drawn)
        return drawn

    def close(self) -> None:
        """End the process, and whoever waits for it."""
        self._turns.close()
        self._end()

    def _keep(self, name: str, drawn: bytes) -> None:
        self._kept[name] = drawn
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > MOST_KEPT_BYTES:
            self._kept.popitem(last=False)

    def _drawn(self, specification: bytes) -> bytes:
        try:
            drawn = self._exchanged(self._started(), specification)
        except (OSError, EOFError) as problem:
            self._end()
            raise UnavailableError(
                f"the chart was not drawn: {reason_of(problem)}.", hint="try again"
            ) from None
        if not drawn:
            raise UnavailableError("the chart was not drawn: the library refuses it.", hint="see the table")
        return drawn

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                bufsize=0,
                start_new_session=True,
            )
        return self._process

    def _exchanged(self, process: subprocess.Popen[bytes], specification: bytes) -> bytes:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101 - as above
        until = time.monotonic() + self._within_s
        asked, answers = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(asked, False)
        left = memoryview(len(specification).to_bytes(_LENGTH_BYTES, "big") + specification)
        while left:
            _wait(lambda most_s: select.select([], [asked], [], most_s)[1], until)
            left = left[os.write(asked, left) :]
        length = int.from_bytes(_read(answers, _LENGTH_BYTES, until), "big")
        return _read(answers, length, until)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None  # noqa: S101 - both are pipes
            pipe.close()
        process.wait(timeout=5)


def _read(source: int, length: int, until: float) -> bytes:
    found = b""
    while len(found) < length:
        _wait(lambda most_s: select.select([source], [], [], most_s)[0], until)
        more = os.read(source, length - len(found))
        if not more:
            raise EOFError("its process ended")
        found += more
    return found


def _wait(is_ready: Callable[[float], object], until: float) -> None:
    if not is_ready(max(until - time.monotonic(), 0.0)):
        raise TimeoutError("it took too long")
