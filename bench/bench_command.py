"""Claim: a command on a database that is up answers within a quarter of a second.

Whole processes as a shell starts them, on an embedded server that is running: read one value with its
layers, the newest history, the coverage audit. Peers: the same interpreter that only imports psycopg, and
one that also asks for the document. Judged by the least of the repeats, of the slowest command.
Run: python bench/bench_command.py [--repeats 7]
"""

import subprocess
import sys
import tempfile
from statistics import median

from claims import Claim, sizes, tell
from plane import clean_environ, seeded
from ratio import table, take_turns

CLAIMS = {
    "slowest": Claim(
        text="a warm local command, the slowest of three, least",
        aim=0.25,
        unit="s",
        peer="python with psycopg, one SELECT",
    )
}
COMMANDS = (("explain", "xgb/5m/gamma"), ("history",), ("coverage",))
SELECT = """
import sys
import psycopg
psycopg.connect(sys.argv[1]).execute("SELECT base_env::text FROM ftf_config").fetchall()
"""


def process(environ, *arguments):
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)


def measured(folder, repeats, commands):
    """Return seconds by command, as it is typed."""
    with seeded(folder) as (_, owner):
        environ = clean_environ() | {"SETPOINT_HOME": str(folder)}
        sides = {
            f"setpoint {' '.join(words)}": process(environ, "-m", "setpoint.cli", *words)
            for words in COMMANDS[:commands]
        }
        sides["bare"] = process(environ, "-c", SELECT, owner)
        take_turns(sides, 1 if repeats > 1 else 0)
        return take_turns(sides, repeats)


def main():
    asked = sizes(__doc__, repeats=(7, 1), commands=(len(COMMANDS), 1))
    with tempfile.TemporaryDirectory() as folder:
        seconds = measured(folder, asked.repeats, asked.commands)
    table(
        ("command", "s, least", "median"),
        [(name, f"{min(took):.2f}", f"{median(took):.2f}") for name, took in seconds.items()],
    )
    bare = min(seconds.pop("bare"))
    tell(__file__, CLAIMS, {"slowest": (max(map(min, seconds.values())), f"{bare:.2f} s")}, asked)


if __name__ == "__main__":
    main()
