import hashlib
from importlib.resources import files
from pathlib import Path

import pytest

from setpoint.declare.loading import bundled_catalogues, load_catalogue, load_catalogues
from setpoint.errors import InvalidCatalogue

GOOD = """
format = 1
name = "tiny"
version = "1.0.0"
prefix = "TINY"
dimensions = ["site"]

[[parts]]
name = "arch"
values = { mlp = "MLP" }

[[parameters]]
name = "width"
type = "int"
low = 1
high = 64
tuned = true
doc = "Units of the hidden layer."
"""


def written(folder: Path, text: str) -> str:
    path = folder / "tiny.toml"
    path.write_text(text)
    return str(path)


def test_a_users_own_file_loads_from_any_folder(tmp_path):
    """A catalogue is a TOML file anywhere; its keys follow its own grammar."""
    catalogue = load_catalogue(written(tmp_path, GOOD))

    assert list(catalogue.keys) == [
        "TINY_MLP_WIDTH",
        "TINY_MLP_WIDTH_RANGE_MIN",
        "TINY_MLP_WIDTH_RANGE_MAX",
        "TINY_MLP_WIDTH_RANGE_SCALE",
    ]


@pytest.mark.parametrize("name", bundled_catalogues())
def test_the_hash_is_that_of_the_file(name):
    """The hash of a catalogue is what sha256sum prints for its file."""
    content = (files("setpoint.declare") / "catalogues" / f"{name}.toml").read_bytes()

    assert load_catalogue(name).hash == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("high = 64", "hihg = 64", "unknown field 'hihg'"),
        ("high = 64", "high = 64.0", "needs low and high of type int"),
        ("high = 64", "high = 0", "low 1 is above high 0"),
        ('type = "int"\nlow = 1\nhigh = 64', 'type = "float"\nlow = nan\nhigh = inf', "needs finite bounds"),
        ('type = "int"', 'type = "integer"', "not one of int, float, bool, categorical"),
        ('doc = "Units of the hidden layer."', "", "width: needs a doc"),
        ("format = 1", "format = 2", "this release reads 1"),
        ('version = "1.0.0"', 'version = "1"', "version is '1'"),
        ('prefix = "TINY"', 'prefix = "tiny"', "prefix is 'tiny'"),
        ('dimensions = ["site"]', 'dimensions = ["site", "site"]', "must be distinct"),
        ('mlp = "MLP"', 'mlp = "M_P"', "tokens must match"),
        ("tuned = true", 'applies = { arch = ["cnn"] }', "applies.arch names ['cnn']"),
        ("tuned = true", 'applies = { size = ["cnn"] }', "the part 'size', which is not declared"),
        ("tuned = true", 'choices = ["a"]', "choices belong to a categorical"),
        ("tuned = true", 'role = "speed"', "role 'speed' is not one of"),
        ("tuned = true", 'effective_when = [["x", "~", 1]]', "is not [library name, operator, value]"),
        ("tuned = true", 'tuned = true\nrole = "alone"', "what is read alone is in no search"),
        ('name = "width"', 'name = "Width"', "needs a lower-case name"),
        ("[[parameters]]", "[parameters]", "must be an array of tables"),
    ],
)
def test_a_broken_catalogue_is_refused_and_says_why(tmp_path, old, new, complaint):
    """Each way of breaking the format is named; nothing half-loaded is used."""
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new))

    with pytest.raises(InvalidCatalogue) as refused:
        load_catalogue(path)

    assert complaint in str(refused.value)


@pytest.mark.parametrize("text", ["not toml =", "\udcff"])
def test_what_is_not_toml(tmp_path, text):
    """A file that is not TOML is refused as such."""
    path = tmp_path / "tiny.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(InvalidCatalogue, match="is not TOML"):
        load_catalogue(str(path))


def test_a_missing_catalogue_names_the_bundled_ones(tmp_path):
    """A wrong name or path says what could be used instead."""
    with pytest.raises(InvalidCatalogue, match="cvntrade, cvntrade-training"):
        load_catalogue("cvntrad")
    with pytest.raises(InvalidCatalogue, match="No such file"):
        load_catalogue(str(tmp_path / "none.toml"))
    with pytest.raises(InvalidCatalogue, match="no catalogue is named"):
        load_catalogues(" , ")


def test_catalogues_that_collide_are_refused(tmp_path):
    """Two catalogues cannot declare one key, nor order the dimensions differently."""
    first = written(tmp_path, GOOD)
    second = tmp_path / "second.toml"

    second.write_text(GOOD.replace('"tiny"', '"other"'))
    with pytest.raises(InvalidCatalogue, match="two catalogues declare TINY_MLP_WIDTH"):
        load_catalogues(f"{first},{second}")

    second.write_text(GOOD.replace('"tiny"', '"other"').replace('"TINY"', '"OTHER"'))
    with pytest.raises(InvalidCatalogue, match="two catalogues use the address mlp/width"):
        load_catalogues(f"{first},{second}")

    second.write_text(
        GOOD.replace('"tiny"', '"other"')
        .replace('"TINY"', '"OTHER"')
        .replace('["site"]', '["rack"]')
        .replace("width", "depth")
    )
    with pytest.raises(InvalidCatalogue, match="catalogues disagree on the scope dimensions: rack and site"):
        load_catalogues(f"{first},{second}")


def test_one_parameter_declared_twice(tmp_path):
    """A key has one declaration."""
    again = GOOD + GOOD[GOOD.index("[[parameters]]") :]

    with pytest.raises(InvalidCatalogue, match="declares TINY_MLP_WIDTH twice"):
        load_catalogues(written(tmp_path, again))
