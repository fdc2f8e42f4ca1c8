import pytest

from setpoint.declare.loading import load_catalogues
from setpoint.declare.seeds import load_seeds
from setpoint.errors import InvalidDocument

CATALOGUE = """
format = 1
name = "plain"
version = "1.0.0"
prefix = "PLAIN"

[[parameters]]
name = "epochs"
type = "int"
low = 1
high = 9
tuned = true
doc = "Passes over the rows."

[[parameters]]
name = "shuffled"
type = "bool"
doc = "Whether the rows are shuffled."
"""
SEED = """
format = 1
catalogue = "plain"
scope = "global"

[[values]]
parameter = "epochs"
value = {value}
source = "chosen"
"""


@pytest.fixture
def plain(tmp_path):
    """A catalogue whose keys have no parts."""
    file = tmp_path / "plain.toml"
    file.write_text(CATALOGUE)
    return load_catalogues(str(file))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "seeds").mkdir()
    return tmp_path / "seeds"


def test_a_catalogue_without_parts_can_be_seeded(plain, folder):
    """Keys without parts take their value from a plain entry."""
    (folder / "global.toml").write_text(SEED.format(value=3))
    (seed,) = load_seeds(str(folder), plain)

    assert seed.values["PLAIN_EPOCHS"].value == 3


def test_a_table_of_values_needs_a_part_to_tell_them_apart(plain, folder):
    """A table for a key without parts is a wrong value, said in words."""
    (folder / "global.toml").write_text(SEED.format(value="{ mlp = 3 }"))

    with pytest.raises(InvalidDocument, match=r"PLAIN_EPOCHS.*expected an int, got dict"):
        load_seeds(str(folder), plain)


def test_a_system_whose_seeds_are_for_others_is_not_called_seeded(plain):
    """The bundled seed files say nothing about a user's own catalogue."""
    with pytest.raises(InvalidDocument, match="no seed file is for plain"):
        load_seeds("", plain)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[values]]", "[values]", "array of tables"),
        ("value = 3", "value = 3\nrange = 5", "PLAIN_EPOCHS_RANGE_SCALE = 5: not one of linear, log"),
        ('"epochs"\nvalue = 3', '"shuffled"\nvalue = true\nrange = {}', "parameter is not tuned"),
    ],
)
def test_a_malformed_entry_is_said_in_words(plain, folder, old, new, said):
    """A file of the wrong shape is refused with a message, not a traceback."""
    text = SEED.format(value=3).replace(old, new)
    (folder / "global.toml").write_text(text)

    with pytest.raises(InvalidDocument, match=said):
        load_seeds(str(folder), plain)
