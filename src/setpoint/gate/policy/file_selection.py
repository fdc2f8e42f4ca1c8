"""GATE: which files the gate reads: those below the given paths, or below what the configuration includes.

Guarantees: one file has one name, however it is given. A path that is not there, a folder with nothing to
read, an exclusion of nothing and an empty scope are errors. Refuses to follow links out of the tree.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.errors import MissingError
from setpoint.gate.formats.data_files import is_data
from setpoint.gate.policy.config import under

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.policy.config import Config

PYTHON = frozenset({".py", ".pyi", ".pyw"})
#: Folders that hold nobody's source; a hidden folder is left out too.
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
#: What packaging leaves directly below the root; elsewhere, or with an ``__init__.py``, they are source.
_PACKAGING = frozenset({"build", "dist"})


def files_in_scope(paths: list[Path], root: Path, config: Config) -> list[Path]:
    """Return the files to judge: absolute, sorted, each once.

    A folder that cannot be listed is among them: whoever reads it learns why.

    Raises:
        MissingError: a path is not there or holds nothing to read, an exclusion names nothing, or no file is
            in scope; files that are named one by one may all lie outside.
    """
    return divided(paths, root, config)[0]


def divided(paths: list[Path], root: Path, config: Config) -> tuple[list[Path], int]:
    """Return the files in scope, and how many of those below the paths are not; as ``files_in_scope``."""
    _refuse_idle(config, root)
    found: set[Path] = set()
    for path in paths or [root / folder for folder in config.include] or [root]:
        below = set(_below(_located(path), root))
        if not below:
            raise MissingError(
                f"{path} holds no file that the gate reads.",
                hint="a gate that reads nothing would pass everything: correct the path, or `include`",
            )
        found |= below
    in_scope = sorted(file for file in found if _in_scope(relative(file, root), config))
    only_files = bool(paths) and all(path.is_file() for path in paths)
    if not in_scope and not only_files:
        raise MissingError(
            "no file is in scope: a gate that reads nothing would pass everything.",
            hint="give a folder with source, or correct include and exclude",
        )
    return in_scope, len(found) - len(in_scope)


def _refuse_idle(config: Config, root: Path) -> None:
    for exclusion in config.exclude:
        named = os.path.lexists(root / exclusion.path)
        if not named and not any(exclusion.covers(relative(file, root)) for file in _below(root, root)):
            raise MissingError(
                f"the exclusion {exclusion.path!r} names nothing.",
                hint="take it out of pyproject.toml, or correct its path",
            )


def _located(path: Path) -> Path:
    """Return a path that is there, in its one spelling."""
    try:
        path.stat()
    except OSError as problem:
        raise MissingError(
            f"{path} is not there: {problem.strerror}.",
            hint="correct the path, or `include` in pyproject.toml",
        ) from None
    return Path(os.path.normpath(path.absolute()))


def _below(path: Path, root: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    if not path.is_dir():
        return
    refused: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=refused.append):
        here = Path(folder)
        folders[:] = [name for name in folders if not _is_skipped(here / name, root)]
        yield from (here / name for name in names if Path(name).suffix.lower() in PYTHON or is_data(name))
    yield from (Path(problem.filename) for problem in refused)


def _is_skipped(folder: Path, root: Path) -> bool:
    if folder.name in _PACKAGING:
        return folder.parent == root.absolute() and not os.path.lexists(folder / "__init__.py")
    return folder.name in _SKIPPED or folder.name.startswith(".")


def _in_scope(path: str, config: Config) -> bool:
    included = not config.include or any(under(path, folder) for folder in config.include)
    return included and not config.excluded(path)


def relative(file: Path, root: Path) -> str:
    """Return a file's POSIX path relative to the root, or absolute when it lies elsewhere."""
    path, top = (Path(os.path.normpath(one.absolute())) for one in (file, root))
    return (path.relative_to(top) if path.is_relative_to(top) else path).as_posix()
