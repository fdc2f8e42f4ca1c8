"""On the path of a process, holds each of its units until a test lets it pass (see support/turnstile.py)."""

import functools
import os
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(os.environ["TURNSTILE"])
MODULE = "setpoint.train.worker"
#: How long a unit waits, in seconds, before it says that nobody lets it pass.
PATIENCE_S = 240


def pass_through():
    """Wait until the turnstile is open, or a pass is there for this process or for any."""
    standing = FOLDER / f"standing-{os.getpid()}"
    standing.touch()
    deadline = time.monotonic() + PATIENCE_S
    while not (FOLDER / "open").exists() and not _take_pass():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody lets this unit pass")
        time.sleep(0.01)
    standing.unlink()


def _take_pass():
    for file in (*FOLDER.glob(f"pass-{os.getpid()}-*"), *FOLDER.glob("pass-any-*")):
        try:
            file.unlink()
        except FileNotFoundError:
            continue
        return True
    return False


class Finder(MetaPathFinder):
    """Finds the module that trains as everybody does, and puts the turnstile before its units."""

    def find_spec(self, name, path, target=None):  # noqa: ARG002 - importlib's interface
        """Find the one module, once."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_hold(module):
            execute(module)
            train = module.train_unit

            @functools.wraps(train)
            def train_unit(*arguments):
                pass_through()
                return train(*arguments)

            module.train_unit = train_unit

        spec.loader.exec_module = execute_and_hold
        return spec


sys.meta_path.insert(0, Finder())
