"""Environments in which nothing of this checkout is: a wheel, and what it needs, under some Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements/dev.txt"
PATIENCE_S = 300


def interpreter(version: str) -> str:
    """Return a Python of some version, on the path or among pyenv's; skips where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    if found := shutil.which(f"python{version}") if not kept else str(kept[-1]):
        return found
    pytest.skip(f"this machine has no other Python: {version}")


@dataclass(frozen=True)
class Environment:
    """One virtual environment, and the empty folder in which its commands are typed."""

    python: Path
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """What its commands see: nothing of this process's settings or paths; a warning is an error."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        path = f"{self.python.parent}:{os.environ['PATH']}"
        return kept | {"PATH": path, "SETPOINT_HOME": str(self.folder / "home"), "COLUMNS": "110"}

    def run(self, *command: str, code: int = 0) -> str:
        """Run a command; returns what it printed, or fails unless it ends with ``code``."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, text=True, timeout=PATIENCE_S,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def ask(self, program: str) -> str:
        """Run a Python program in which a warning is an error; returns what it printed."""
        return self.run(str(self.python), "-W", "error", "-c", program)


def environment(folder: Path, python: str, wheel: Path) -> Environment:
    """Make an environment that holds the wheel and nothing else; no index is asked."""
    empty = folder / "empty"
    empty.mkdir(parents=True)
    made = Environment(folder / "env/bin/python", empty)
    made_by = (python, "-m", "venv", "--without-pip", str(folder / "env"))
    subprocess.run(made_by, check=True, timeout=PATIENCE_S)
    _pip(made, "--no-index", "--no-deps", str(wheel))
    return made


def add_dependencies(made: Environment, wheel: Path, extras: str) -> None:
    """Add what extras need, as locked: of this Python what this process has, of others from an index."""
    version = made.ask("import sys; print('%d.%d' % sys.version_info[:2])").strip()
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        # A folder on the path is no site folder: an editable install that lies in it has no effect.
        (site,) = (made.python.parents[1] / "lib").glob("python*/site-packages")
        (here,) = (Path(sys.prefix) / "lib").glob("python*/site-packages")
        (site / "locked.pth").write_text(f"{here}\n")
        return
    pins = made.folder.parent / "pins.txt"
    pins.write_text("".join(f"{one.split()[0]}\n" for one in LOCK.read_text().splitlines() if "==" in one))
    _pip(made, "-c", str(pins), f"{wheel}[{extras}]")


def _pip(made: Environment, *arguments: str) -> None:
    pip = (sys.executable, "-m", "pip", "--python", str(made.python), "install", "-qq", "--no-compile")
    subprocess.run((*pip, *arguments), check=True, timeout=PATIENCE_S)
