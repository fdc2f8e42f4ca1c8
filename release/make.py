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
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from archives import ROOT, Place, build, build_from_sdist, epoch_of, files_of
from bill_of_materials import locked_packages, write_bill
from contents import sdist_faults, wheel_faults
from description import metadata_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

OUT = ROOT / "dist"
HASHES = "SHA256SUMS"


def make(commit: str, out: Path) -> list[Path]:
    """Write a release of a commit to a folder; returns its files. Raises ``SystemExit``: it is not sound."""
    with tempfile.TemporaryDirectory() as folder:
        here = Place(Path(folder, "a"), 0o022, "UTC")
        archives = build(commit, here)
        if faults := [*_faults(commit, archives, here, Path(folder))]:
            raise SystemExit("\n".join(faults))
        made = [*archives.values()]
        version = archives[".whl"].name.split("-")[1]
        made.append(here.folder / f"setpoint-{version}.cdx.json")
        write_bill(here.tree, archives.values(), version, epoch_of(commit), made[-1])
        lines = [f"{sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in made]
        made.append(here.folder / HASHES)
        made[-1].write_text("".join(lines), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        return [Path(shutil.copy(one, out)) for one in made]


def _faults(commit: str, archives: dict[str, Path], here: Place, folder: Path) -> Iterator[str]:
    wheel, sdist = archives[".whl"], archives[".tar.gz"]
    backend = metadata.version("hatchling")
    if backend != locked_packages(here.tree)["hatchling"].version:
        yield f"hatchling {backend} is not what requirements/dev.txt locks; make setup"
    again = build(commit, Place(folder / "another/place", 0o077, "Asia/Kathmandu"))
    of_sdist = build_from_sdist(sdist, Place(folder / "c", 0o027, "UTC"), epoch_of(commit))
    for one, other in ((wheel, again[".whl"]), (sdist, again[".tar.gz"]), (wheel, of_sdist)):
        if one.read_bytes() != other.read_bytes():
            yield f"{one.name} is not the same bytes when it is built again"
    held = files_of(commit)
    yield from wheel_faults(wheel, held)
    yield from sdist_faults(sdist, held)
    yield from metadata_faults(wheel)


if __name__ == "__main__":
    for written in make(sys.argv[1] if len(sys.argv) > 1 else "HEAD", OUT):
        print(written.relative_to(ROOT))
