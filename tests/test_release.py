"""A release that could be published: the same bytes twice, judged, installed and started from the wheel."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

import setpoint
from support.fresh_environments import add_dependencies, environment, interpreter
from support.pages import blocks
from support.plane_process import PlaneProcess
from support.sweep_home import TINY, TINY_SCOPE, TINY_SWEEP

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/package.md"
LONG = "LONG_TESTS" in os.environ
#: What a release says it runs on; the middle one is tried in `make test-long`.
PYTHONS = ("3.11", "3.12", "3.13")
TRIED = PYTHONS if LONG else (PYTHONS[0], PYTHONS[-1])
#: How files that go to other machines name the release that they are of.
_SHIPPED_VERSION = re.compile(
    r"""(?m)(?:\bsetpoint==|^appVersion: "|^version: |^cvntradeImageTag: ")(\d+\.\d+\.\d+)"""
)


def git(*arguments):
    return subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def tools():
    """The programs of `make release`, as modules."""
    sys.path.insert(0, str(ROOT / "release"))
    import archives
    import bill_of_materials
    import contents
    import description
    import make

    yield {one.__name__: one for one in (archives, bill_of_materials, contents, description, make)}
    sys.path.remove(str(ROOT / "release"))


@pytest.fixture(scope="module")
def commit():
    """What is here as a commit: of a checkout that somebody works in, one that no branch has."""
    return git("stash", "create").strip() or git("rev-parse", "HEAD").strip()


@pytest.fixture(scope="module")
def release(tools, commit, tmp_path_factory):
    """A release of what is here, by the end of each file's name."""
    made = tools["make"].make(commit, tmp_path_factory.mktemp("release") / "dist")
    return {
        next(end for end in (".tar.gz", ".whl", ".json", "") if one.name.endswith(end)): one for one in made
    }


@pytest.mark.real
def test_a_release_is_whole_and_its_hashes_are_told(release, commit):
    """Two builds and the sdist's own wheel were the same bytes, else there were none; sha256sum agrees."""
    done = subprocess.run(
        ("sha256sum", "-c", release[""].name), cwd=release[""].parent, check=True, capture_output=True
    )
    assert done.stdout.count(b": OK\n") == 3
    with zipfile.ZipFile(release[".whl"]) as opened:
        instants = {one.date_time for one in opened.infolist()}
        names = set(opened.namelist())
    made_at = datetime.fromtimestamp(int(git("log", "-1", "--format=%ct", commit)), UTC)
    # A zip file counts in steps of two seconds.
    assert instants == {(*made_at.timetuple()[:5], made_at.second // 2 * 2)}
    held = git("ls-tree", "-r", "--name-only", commit, "src/setpoint").splitlines()
    assert {one.removeprefix("src/") for one in held} <= names, (
        "templates, static files, migrations, catalogues: all"
    )
    assert not [
        one for one in names if "test" in one.split("/")[0] or "__pycache__" in one or "node_modules" in one
    ]
    with tarfile.open(release[".tar.gz"]) as opened:
        assert {one.name.split("/")[1] for one in opened} == {
            "src", "docs", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore",
        }  # fmt: skip


@pytest.mark.real
def test_a_build_that_tells_where_it_was_made_is_refused(tools, commit, tmp_path, monkeypatch):
    """Bytes that differ between two folders, and a tree with what git does not have, make no release."""
    run, make, build = subprocess.run, tools["make"], tools["archives"].build

    def with_strays(commit, place):
        def and_unpacked(command, **given):
            done = run(command, **given)
            if command[0] == "tar":
                (place.tree / "src/setpoint/where.txt").write_text(str(place.tree))
            return done

        with monkeypatch.context() as patched:
            patched.setattr(subprocess, "run", and_unpacked)
            return build(commit, place)

    monkeypatch.setattr(make, "build", with_strays)
    with pytest.raises(SystemExit) as refused:
        make.make(commit, tmp_path / "dist")
    assert ".whl is not the same bytes" in str(refused.value)
    assert "holds setpoint/where.txt, which does not belong there" in str(refused.value)
    assert not (tmp_path / "dist").exists()


@pytest.mark.real
def test_what_is_wrong_in_an_archive_is_named(tools, release, commit, tmp_path):
    """A stray file, a lost template and an index's refusals: each by name, and a sound wheel has none."""
    contents, description = tools["contents"], tools["description"]
    held = tools["archives"].files_of(commit)
    assert [
        *contents.wheel_faults(release[".whl"], held),
        *description.metadata_faults(release[".whl"]),
    ] == []
    assert [*contents.sdist_faults(release[".tar.gz"], held)] == []

    lost, stray = "setpoint/serve/console/templates/frame.html", "tests/test_one.py"
    bad = tmp_path / release[".whl"].name
    with zipfile.ZipFile(release[".whl"]) as good, zipfile.ZipFile(bad, "w") as opened:
        for one in good.infolist():
            text = good.read(one)
            if one.filename.endswith("/METADATA"):
                text = text.replace(b"Typing :: Typed", b"Typing :: Wished") + b"\n[more](docs/api.md)\n"
            if one.filename != lost:
                opened.writestr(one, text)
        opened.writestr(zipfile.ZipInfo(stray), "")
    told = "\n".join((*contents.wheel_faults(bad, held), *description.metadata_faults(bad)))
    for said in (
        f"lacks {lost}",
        f"holds {stray}",
        f"{stray} has a mode",
        "'Typing :: Wished' is no",
        "leads to docs/api.md",
    ):
        assert said in told
    worse = tmp_path / release[".tar.gz"].name
    with tarfile.open(worse, "w:gz") as opened:
        opened.add(PAGE, f"{worse.name.removesuffix('.tar.gz')}/tests/conftest.py")
    told = "\n".join(contents.sdist_faults(worse, held))
    assert "holds tests/conftest.py" in told
    assert "lacks pyproject.toml" in told


@pytest.mark.real
def test_the_bill_of_materials_is_of_this_release_and_says_the_same_again(tools, release, commit, tmp_path):
    """Each locked package that an extra leads to, its hashes and needs; the vendored library; no chance."""
    bills, told = tools["bill_of_materials"], json.loads(release[".json"].read_text())
    named = {one["name"]: one for one in told["components"]}
    root = told["metadata"]["component"]
    assert (root["name"], root["version"]) == ("setpoint", setpoint.__version__)
    apart = {one["value"] for one in root.get("properties", ())}
    assert apart <= {"airflow"}, "each other extra is locked"
    hashes = {one["url"]: one["hashes"][0]["content"] for one in root["externalReferences"]}
    assert hashes == {
        release[end].name: hashlib.sha256(release[end].read_bytes()).hexdigest()
        for end in (".whl", ".tar.gz")
    }
    assert {
        "fastapi",
        "xgboost-cpu",
        "distributed",
        "libcst",
        "openfeature-sdk",
        "vl-convert-python",
    } <= named.keys()
    assert not {"pytest", "ruff", "hatchling", "schemathesis"} & named.keys()
    locked = bills.locked_packages(ROOT)
    for name, one in named.items():
        if name in locked:
            files = one["externalReferences"][0]["hashes"]
            assert (one["version"], sorted(file["content"] for file in files)) == (
                locked[name].version, sorted(locked[name].hashes),
            )  # fmt: skip
    assert {name for name in named if name not in locked} == {one["name"] for one in bills.vendored(ROOT)}
    needs = {
        one["ref"].split("@")[0]: {name.split("@")[0] for name in one.get("dependsOn", ())}
        for one in told["dependencies"]
    }
    assert {"starlette", "pydantic"} <= needs["fastapi"]
    assert {"fastapi", "idiomorph"} <= needs["setpoint"]
    assert [one["name"] for one in told["components"] if not one.get("licenses")] == []

    again, epoch = tmp_path / "again.json", tools["archives"].epoch_of(commit)
    bills.write_bill(ROOT, [release[".whl"], release[".tar.gz"]], setpoint.__version__, epoch, again)
    assert again.read_bytes() == release[".json"].read_bytes()


@pytest.mark.real
@pytest.mark.parametrize("version", TRIED)
def test_the_wheel_alone_installs_and_works(release, tmp_path, version):
    """From an empty folder: the client on the standard library alone; then commands, a plane, a sweep."""
    python = interpreter(version)
    bare = environment(tmp_path / "bare", python, release[".whl"])
    file, loaded = bare.ask(
        "import setpoint, sys; print(setpoint.__file__);"
        "print({one.partition('.')[0] for one in sys.modules} - sys.stdlib_module_names - {'__main__'})"
    ).splitlines()
    assert (Path(file).is_relative_to(ROOT), loaded) == (False, "{'setpoint'}")
    assert "pip install 'setpoint[server,train]'" in bare.run("setpoint", "keys", code=2)

    whole = environment(tmp_path / "whole", python, release[".whl"])
    add_dependencies(whole, release[".whl"], "server,train" if LONG else "server")
    assert whole.run("setpoint", "--version").strip() == setpoint.__version__
    try:
        for block in blocks(PAGE):
            if not block.left_out and block.is_typed:
                whole.run("bash", "-ec", block.text)
        (program,) = [block.text for block in blocks(PAGE) if block.language == "python"]
        whole.run("setpoint", "pin", "--out", "snapshot.json")
        shutil.copy(whole.folder / "snapshot.json", bare.folder)
        assert (
            bare.ask(f"import os; os.environ['SETPOINT_SNAPSHOT'] = 'snapshot.json'\n{program}") == "0.08\n"
        )
        a_plane_answers(whole, tmp_path)
        if version == PYTHONS[0] or LONG:
            a_sweep_trains(whole)
    finally:
        whole.run("setpoint", "db", "stop", "--force")


def a_plane_answers(whole, tmp_path):
    plane = PlaneProcess(whole.environ, tmp_path / "plane.log", python=str(whole.python))
    plane.start()
    try:
        plane.wait()
        (style,) = re.findall(r'href="([^"]+\.css[^"]*)"', plane.wait("/login").text)
        assert httpx.get(plane.url + style).headers["content-type"].startswith("text/css")
    finally:
        plane.signal(15)
        plane.ended()


def a_sweep_trains(whole):
    values = [f"{name}={value}" for name, value in TINY.items()]
    whole.run("setpoint", "set", "--scope", TINY_SCOPE, "--new", "--yes", "--reason", "small", *values)
    said = whole.run("setpoint", "sweep", *TINY_SWEEP, "--context", "symbol=BTCUSDC", "--processes", "1")
    assert " 0 failed" in said


# --- what the release's own pages say


def test_what_is_vendored_is_declared_and_unchanged():
    """A file that others wrote is as they published it, by its hash; one that nobody declared is seen."""
    told = tomllib.loads((ROOT / "release/vendored.toml").read_text())["vendored"]
    for one in told:
        assert hashlib.sha256((ROOT / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["name"]
        assert (ROOT / one["file"]).with_name(f"{one['name']}.license.txt").exists()
    minified = {str(one.relative_to(ROOT)) for one in (ROOT / "src").rglob("*.min.*")}
    assert minified == {one["file"] for one in told}


def test_the_changelog_tells_of_versions_as_it_promises():
    """Newest first, each with its day or `unreleased`; the newest is the version of the sources."""
    told = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", told, re.MULTILINE)
    found = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) \((unreleased|\d{4}-\d\d-\d\d)\)", one) for one in headings]
    assert all(found), headings
    versions = [tuple(map(int, one.groups()[:3])) for one in found]
    assert versions == sorted(versions, reverse=True)
    assert ".".join(map(str, versions[0])) == setpoint.__version__
    assert "unreleased" not in [one[4] for one in found[1:]]
    parts = set(re.findall(r"^### (.*)$", told, re.MULTILINE))
    assert parts <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.search(r"^### Added$", told, re.MULTILINE)


def test_the_pythons_that_are_named_are_those_that_are_tried():
    """Classifiers name each, the oldest is what the metadata requires, and the page says the same."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [one.split(" :: ")[-1] for one in told["classifiers"] if re.search(r":: 3\.\d+$", one)]
    assert (tuple(named), told["requires-python"]) == (PYTHONS, f">={PYTHONS[0]}")
    said = " ".join((ROOT / "docs/releases.md").read_text(encoding="utf-8").split())
    assert f"Python {', '.join(PYTHONS[:-1])} and {PYTHONS[-1]};" in said


def test_the_version_stands_in_one_place():
    """Metadata and answers take it from the sources; what is shipped beside the package names the same."""
    metadata = (ROOT / "pyproject.toml").read_text()
    assert not re.search(r"^version = ", metadata, re.MULTILINE)
    assert 'dynamic = ["version"]' in metadata
    holding = [one for one in (ROOT / "src").rglob("*.py") if "\n__version__ = " in one.read_text()]
    assert holding == [ROOT / "src/setpoint/__init__.py"]
    shipped = {}
    for file in git("ls-files", "deploy").splitlines():
        found = _SHIPPED_VERSION.findall((ROOT / file).read_text(encoding="utf-8"))
        shipped |= {file: set(found)} if found else {}
    assert len(shipped) >= 2, "the workflow and the chart name it"
    assert {file: found for file, found in shipped.items() if found != {setpoint.__version__}} == {}
