"""Claim: a training script does not wait for `import setpoint`.

Whole interpreters, started in turns, less the bare one; judged by the least of the repeats, because a
start of some milliseconds doubles when the machine does anything else. Beside it what the first `pin` adds,
so that nothing is hidden by importing late, and `pin` alone in a warm process.
Run: python bench/bench_import.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import setpoint
from claims import Claim, sizes, tell
from ratio import SOURCE, table, take_turns
from setpoint.client.snapshot import Snapshot, SnapshotLayer
from setpoint.declare.document import canonical_text, text_hash
from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.settings import Settings

CLAIMS = {
    "import": Claim(
        text="`import setpoint` over a bare interpreter, least",
        aim=5,
        unit="ms",
        peer="`import json`",
    )
}
BARE = "bare interpreter"
OURS = "import setpoint"
PROGRAMS = {
    BARE: "",
    OURS: OURS,
    "import setpoint; setpoint.pin()": "import setpoint; setpoint.pin()",
    "import json": "import json",
    "import dataclasses": "import dataclasses",
    "import urllib.request": "import urllib.request",
    "import omegaconf": "import omegaconf",
    "import openfeature.api": "import openfeature.api",
}


def write_snapshot(path):
    """Write a snapshot with every key of the bundled catalogues."""
    catalogues = load_catalogues(Settings.catalogues)
    seeds = load_seeds("", catalogues)[0].values
    text = canonical_text({key: sourced.value for key, sourced in seeds.items()})
    layer = SnapshotLayer("global", 1, text_hash(text), "bench")
    path.write_text(Snapshot(text, text_hash(text), catalogues.identities, {}, (layer,)).to_json())
    return len(seeds)


def interpreter(program, environ):
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {SOURCE!r})\n{program}"]
    return lambda: subprocess.run(command, env=environ, check=True)


def over_bare(seconds, middle):
    """Return milliseconds over the bare interpreter by program."""
    bare = middle(seconds[BARE])
    return {name: 1e3 * (middle(values) - bare) for name, values in seconds.items() if name != BARE}


def main():
    asked = sizes(__doc__, repeats=(21, 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.json"
        keys = write_snapshot(path)
        given = {"SETPOINT_SNAPSHOT": str(path)}
        clean = {
            name: text for name, text in os.environ.items() if not name.startswith(("SETPOINT_", "CVN_"))
        }
        sides = {name: interpreter(program, clean | given) for name, program in PROGRAMS.items()}
        if not asked.smoke:
            take_turns(sides, 1)
        seconds = take_turns(sides, asked.repeats)
        warm = median(take_turns({"pin": lambda: setpoint.pin(environ=given)}, asked.repeats)["pin"])
    typical, least = over_bare(seconds, median), over_bare(seconds, min)
    print(
        f"{asked.repeats} alternated interpreters; "
        f"the bare one takes {1e3 * median(seconds[BARE]):.1f} ms (median)"
    )
    table(
        ("program", "ms over bare, least", "median", f"least x {OURS}"),
        [
            (name, f"{ms:.1f}", f"{typical[name]:.1f}", f"{ms / least[OURS]:.1f}")
            for name, ms in least.items()
        ],
    )
    print(f"setpoint.pin() alone, warm, {keys} keys, catalogues loaded again: {1e3 * warm:.1f} ms (median)")
    beside = f"{least['import json']:.1f} ms, `import omegaconf` {least['import omegaconf']:.1f} ms"
    tell(__file__, CLAIMS, {"import": (least[OURS], beside)}, asked)


if __name__ == "__main__":
    main()
