"""`make release`: wheel and sdist of the last commit, their bill of materials and their hashes, in dist/.

Refuses to write any of it unless two builds in different places, and the wheel that the sdist makes, are the
same bytes; unless they hold what they must and nothing else; and unless an index would take their metadata.
What lies in the folder and was not committed is in none of it. Publishes nothing: see docs/releases.md.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from archives import ROOT, Place, build, build_from_sdist, epoch_of, files_of
from bill_of_materials import write_bill
from contents import sdist_faults, wheel_faults
from description import metadata_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

OUT = ROOT / "dist"
HASHES = "SHA256SUMS"


def make(commit: str, out: Path) -> list[Path]:
    """Write a release of a commit to a folder; returns its files. Raises ``SystemExit``: it is not sound."""
    epoch = epoch_of(commit)
    with tempfile.TemporaryDirectory() as folder:
        here = Place(Path(folder, "a"), 0o022, "UTC")
        there = Place(Path(folder, "another/place"), 0o077, "Asia/Kathmandu")
        wheel, sdist = (archives := build(commit, here))[".whl"], archives[".tar.gz"]
        again = build(commit, there)
        of_sdist = build_from_sdist(sdist, Place(Path(folder, "c"), 0o027, "UTC"), epoch)
        twins = [(wheel, again[".whl"]), (sdist, again[".tar.gz"]), (wheel, of_sdist)]
        if faults := [*_unlike(twins), *_faults(wheel, sdist, files_of(commit))]:
            raise SystemExit("\n".join(faults))
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        made = [Path(shutil.copy(one, out)) for one in (sdist, wheel)]
        version = wheel.name.split("-")[1]
        made.append(out / f"setpoint-{version}.cdx.json")
        write_bill(here.tree, made[:2], version, epoch, made[-1])
    lines = [f"{sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in made]
    made.append(out / HASHES)
    made[-1].write_text("".join(lines), encoding="utf-8")
    return made


def _unlike(twins: list[tuple[Path, Path]]) -> Iterator[str]:
    for one, other in twins:
        if one.read_bytes() != other.read_bytes():
            yield f"{one.name} is not the same bytes when it is built again"


def _faults(wheel: Path, sdist: Path, held: set[str]) -> Iterator[str]:
    yield from wheel_faults(wheel, held)
    yield from sdist_faults(sdist, held)
    yield from metadata_faults(wheel)


if __name__ == "__main__":
    for written in make(sys.argv[1] if len(sys.argv) > 1 else "HEAD", OUT):
        print(written.relative_to(ROOT))
