"""The bill of materials of a release: what its extras install, and what the package itself carries.

CycloneDX, in JSON. Versions and hashes of files are those of the lock file, which every test ran with; who
needs whom, and under which licence, is what the installed packages say of themselves, on this platform. The
same release gives the same bytes: its instant is the commit's, its serial number is made of the hashes. An
extra that the lock file does not hold, since it lives in an environment of its own, is named as not listed.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import PackageMetadata
    from pathlib import Path

    from cyclonedx.model.license import License

#: Extras that are for whoever works on the package, not for who uses it.
OURS = frozenset({"build", "dev"})
_LOCKED = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
_LICENCES = LicenseFactory()


class Locked(NamedTuple):
    """One package as the lock file has it."""

    version: str
    hashes: tuple[str, ...]


def locked_packages(tree: Path) -> dict[str, Locked]:
    """Return each package of the lock file, by name."""
    text = (tree / "requirements/dev.txt").read_text(encoding="utf-8")
    return {
        name: Locked(version, tuple(re.findall("sha256:([0-9a-f]{64})", hashes)))
        for name, version, hashes in _LOCKED.findall(text)
    }


def write_bill(tree: Path, archives: Iterable[Path], version: str, epoch: int, out: Path) -> None:
    """Write the bill of a release that was made of a tree.

    Raises:
        ValueError: what an extra leads to is not installed as locked, or the schema refuses what was made.
    """
    text = JsonV1Dot6(bill(tree, archives, version, epoch)).output_as_string(indent=2) + "\n"
    if refused := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the schema refuses the bill of materials: {refused}")
    out.write_text(text, encoding="utf-8")


def bill(tree: Path, archives: Iterable[Path], version: str, epoch: int) -> Bom:
    """Return the bill of a release that was made of a tree, and whose archives are these."""
    told = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed, apart = needed_by(told["optional-dependencies"], locked_packages(tree))
    hashes = {one.name: sha256(one.read_bytes()).hexdigest() for one in archives}
    made = {name: _component(name, needed) for name in sorted(needed.extras)}
    carried = [_carried(one) for one in vendored(tree)]
    bom = Bom(components=[*made.values(), *carried])
    bom.serial_number = uuid5(NAMESPACE_URL, " ".join(sorted(hashes.values())))
    bom.metadata.component = root = _released(told, version, hashes, apart)
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.register_dependency(root, [*(made[name] for name in sorted(needed.directly)), *carried])
    for name, wanted in sorted(needed.needs.items()):
        bom.register_dependency(made[name], [made[one] for one in sorted(wanted)])
    return bom


def needed_by(extras: Mapping[str, Iterable[str]], locked: Mapping[str, Locked]) -> tuple[Needed, list[str]]:
    """Return what extras lead to, and the extras that live in an environment apart from the lock file."""
    needed, apart = Needed(locked), []
    for extra, named in extras.items():
        requirements = [*map(Requirement, named)]
        if any(canonicalize_name(one.name) not in locked for one in requirements):
            apart.append(extra)
        elif extra not in OURS:
            for one in requirements:
                needed.add(one, extra)
    return needed, apart


def vendored(tree: Path) -> list[Mapping[str, str]]:
    """Return what the package carries of others, unchanged."""
    found: list[Mapping[str, str]] = tomllib.loads(
        (tree / "release/vendored.toml").read_text(encoding="utf-8")
    )["vendored"]
    return found


class Needed:
    """Which packages extras lead to, and which of those need which."""

    def __init__(self, locked: Mapping[str, Locked]) -> None:
        """Begin with none, of packages that are locked."""
        self.locked = locked
        self.directly: set[str] = set()
        #: By package: which extras lead to it, and what it needs itself.
        self.extras: defaultdict[str, set[str]] = defaultdict(set)
        self.needs: defaultdict[str, set[str]] = defaultdict(set)
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, requirement: Requirement, extra: str) -> None:
        """Add what an extra of ours names, and all that this needs here. Raises as ``write_bill``."""
        if requirement.marker is None or requirement.marker.evaluate():
            self.directly.add(self._add(requirement, extra))

    def _add(self, requirement: Requirement, extra: str) -> str:
        name = canonicalize_name(requirement.name)
        installed = metadata.distribution(name)
        if name not in self.locked or self.locked[name].version != installed.version:
            raise ValueError(
                f"{name} {installed.version} is not what requirements/dev.txt locks; make lock, make setup"
            )
        self.extras[name].add(extra)
        for part in {"", *requirement.extras}:
            if (name, part, extra) not in self._seen:
                self._seen.add((name, part, extra))
                for one in map(Requirement, installed.requires or ()):
                    if one.marker is None or one.marker.evaluate({"extra": part}):
                        self.needs[name].add(self._add(one, extra))
        return name


def _released(
    told: Mapping[str, Any], version: str, hashes: Mapping[str, str], apart: Iterable[str]
) -> Component:
    return Component(
        name=told["name"],
        version=version,
        type=ComponentType.APPLICATION,
        description=told["description"],
        bom_ref=f"{told['name']}@{version}",
        purl=PackageURL("pypi", name=told["name"], version=version),
        licenses=[_LICENCES.make_from_string(told["license"])],
        external_references=[_files(name, [digest]) for name, digest in sorted(hashes.items())],
        properties=[Property(name="setpoint:extra-not-listed", value=extra) for extra in apart],
    )


def _component(name: str, needed: Needed) -> Component:
    locked, told = needed.locked[name], metadata.metadata(name)
    return Component(
        name=name,
        version=locked.version,
        bom_ref=f"{name}@{locked.version}",
        purl=PackageURL("pypi", name=name, version=locked.version),
        licenses=_licences(told),
        external_references=[_files(f"pkg:pypi/{name}@{locked.version}", locked.hashes)],
        properties=[Property(name="setpoint:extra", value=one) for one in sorted(needed.extras[name])],
    )


def _carried(told: Mapping[str, str]) -> Component:
    return Component(
        name=told["name"],
        version=told["version"],
        bom_ref=f"{told['name']}@{told['version']}",
        purl=PackageURL.from_string(told["purl"]),
        licenses=[_LICENCES.make_from_string(told["licence"])],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=told["sha256"])],
        properties=[Property(name="setpoint:file", value=told["file"].removeprefix("src/"))],
    )


def _licences(told: PackageMetadata) -> list[License]:
    """Return a package's own word: an expression, a name in one line, else the names of its classifiers."""
    said = told.get("License-Expression") or told.get("License") or ""
    if said and "\n" not in said:
        return [_LICENCES.make_from_string(said)]
    named = [
        one.split(" :: ")[-1] for one in told.get_all("Classifier") or () if one.startswith("License ::")
    ]
    return [DisjunctiveLicense(name=one) for one in named]


def _files(address: str, digests: Iterable[str]) -> ExternalReference:
    """Return where files are, and the hash of each: one package has a file for each platform."""
    return ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(address),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in digests],
    )
