"""Small projects for `setpoint externalize`, planned and written as the command does, without a database."""

from pathlib import Path

import pytest

from setpoint.externalize.files.project import Project
from setpoint.externalize.files.project_write import write
from setpoint.externalize.preparation import prepare

#: The project is training code: a bare name such as learning_rate counts there.
PYPROJECT = '[tool.setpoint.gate]\ninclude = ["."]\n'


class Small:
    """A project in a folder of its own."""

    def __init__(self, root):
        self.root = root
        self.project = Project(
            root=root,
            catalogues="cvntrade,cvntrade-training",
            seeds=Path("hyperparameters/seeds"),
            draft=Path("hyperparameters/draft.toml"),
            parity=Path("tests/test_externalized.py"),
        )

    def put(self, **files):
        """Write files; ``__`` in a name is a folder."""
        for name, text in files.items():
            path = self.root / name.replace("__", "/").replace("_py", ".py").replace("_toml", ".toml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return self

    def prepare(self, *at, live=None):
        return prepare(self.project, [self.root], at, live)

    def plan(self, *at, live=None):
        return self.prepare(*at, live=live).plan

    def write(self, *at, test=""):
        prepared = self.prepare(*at)
        write(prepared, self.project, test)
        return prepared

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8")

    def seeds(self, name="cvntrade"):
        return self.text(f"hyperparameters/seeds/externalized-{name}.toml")

    def everything(self):
        """Every folder, link and file below the root, with content and mode."""
        return {
            path.relative_to(self.root).as_posix(): (
                path.is_symlink() and path.readlink(),
                path.stat().st_mode,
                path.read_bytes() if path.is_file() else None,
            )
            for path in sorted(self.root.rglob("*"))
            if "__pycache__" not in path.parts
        }


@pytest.fixture
def small(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    return Small(root).put(pyproject_toml=PYPROJECT)
