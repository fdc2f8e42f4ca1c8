"""The container file says what the chart relies on; no test builds it, for that takes minutes."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "deploy/container/Containerfile").read_text(encoding="utf-8")
CHART = ROOT / "deploy/helm/setpoint/templates"


def pins(name):
    """Return the version of each package in a file of requirements."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_the_image_and_the_chart_name_one_account_and_one_folder():
    """The image runs as the number that the chart asks for, and keeps things where it has a volume."""
    pod = (CHART / "_pods.tpl").read_text(encoding="utf-8")
    [user] = re.findall(r"^USER (\d+):\1$", CONTAINERFILE, re.MULTILINE)
    [home] = re.findall(r"SETPOINT_HOME=(\S+)", CONTAINERFILE)

    assert f"runAsUser: {user}\n" in pod
    assert f"mountPath: {home}}}" in pod


def test_nothing_of_the_image_moves_by_itself():
    """Bases come by argument without a default, and packages by their hash, as wheels."""
    assert re.findall(r"^ARG BASE.*$", CONTAINERFILE, re.MULTILINE) == ["ARG BASE"]
    assert set(re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)) == {"${BASE}"}
    installs = re.findall(r"/pip (?:--python \S+ )?install\b[^&]*", CONTAINERFILE)

    assert len(installs) == 3
    for told in installs:
        assert "--require-hashes" in told or "--no-index" in told, told


@pytest.mark.parametrize("name", ["image.txt", "build.txt"])
def test_the_image_has_what_is_tested(name):
    """Each package of the image is of the version with which the tests run."""
    tested = pins("dev.txt")
    shipped = pins(name)

    assert shipped
    assert {package: version for package, version in shipped.items() if tested.get(package) != version} == {}


def test_what_is_copied_is_there():
    """Each file that the container file takes from the repository is in it."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)

    assert copied
    for names in copied:
        for name in names.split():
            assert (ROOT / name).exists(), name
