"""Write what the chart in deploy/helm/setpoint has from elsewhere: version, settings, rules, its README.

Each function returns a file's whole text from what stands there and the one source of the rest.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING

import yaml
from observability_files import written as observability_file

from setpoint import __version__
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What the chart says itself, or takes from a Secret that holds a password.
OWN = {
    "home",
    "database_url",
    "migrate_url",
    "direct_url",
    "public_url",
    "metrics_listen",
    "metrics_token_file",
}
#: The README above its table.
HEAD = """# The chart `setpoint`

*Written by `docs/generate.py` from values.yaml. Do not edit it here.*

How to install, seed, upgrade and roll back is in `docs/kubernetes.md` of the repository. `values.schema.json`
refuses every value that is not listed here, and every one of another kind.
"""


def chart(text: str) -> str:
    """Return Chart.yaml with this release's version, the chart's own and that of what it installs."""
    text = re.sub(r"^version: .*$", f"version: {__version__}", text, flags=re.MULTILINE)
    return re.sub(r"^appVersion: .*$", f'appVersion: "{__version__}"', text, flags=re.MULTILINE)


def schema(text: str) -> str:
    """Return values.schema.json with the settings that a plane may be given as values: no secrets."""
    held = json.loads(text)
    held["$defs"]["setting"]["enum"] = [
        one.metadata["variable"] for one in fields(Settings) if one.repr and one.name not in OWN
    ]
    return json.dumps(held, indent=2) + "\n"


def described(values: str) -> Iterator[tuple[str, str, str]]:
    """Yield each value's name, default and meaning: the comment above it.

    Raises:
        SystemExit: a value without a comment.
    """
    path: list[str] = []
    said: list[str] = []
    for line in values.splitlines():
        if found := re.match(r" *# (.+)", line):
            said.append(found[1])
        elif found := re.match(r"( *)([A-Za-z]\w*):", line):
            path = [*path[: len(found[1]) // 2], found[2]]
            if said:
                yield ".".join(path), json.dumps(_at(values, path), ensure_ascii=False), " ".join(said)
                said = []
            elif line.rstrip()[-1] != ":" and not _inside(path):
                raise SystemExit(f"values.yaml: {'.'.join(path)} has no comment that says what it is")


def _at(values: str, path: list[str]) -> object:
    found = yaml.safe_load(values)
    for name in path:
        found = found[name]
    return found


def _inside(path: list[str]) -> bool:
    """Say whether a line belongs to a value that is described as a whole."""
    return "resources" in path


def readme(values: str) -> str:
    """Return the chart's README: every value, its default and what it means."""
    rows = [f"| `{name}` | `{default}` | {said} |" for name, default, said in described(values)]
    return "\n".join((HEAD, "| value | default | meaning |", "|---|---|---|", *rows)) + "\n"


def helm_files(folder: Path) -> dict[Path, str]:
    """Return the text of each file of the chart that is written here, wholly or in part."""

    def text(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    return {
        folder / "Chart.yaml": chart(text("Chart.yaml")),
        folder / "values.schema.json": schema(text("values.schema.json")),
        folder / "files/rules.yml": observability_file(
            "prometheus/rules.yml"
        ),  # a chart reads its own folder
        folder / "README.md": readme(text("values.yaml")),
    }
