"""A user's own catalogue, from its files to a trained model, as docs/own-catalogue.md tells it."""

import json
from pathlib import Path

import pytest

import setpoint
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.snapshot import read_snapshot
from setpoint.declare.loading import load_catalogues
from setpoint.errors import MissingValue, UnknownKey
from support.example_training import run_under_setpoint

EXAMPLE = Path(__file__).parents[2] / "docs/examples/sklearn"
BATCH = "SKLEARN_HPO_MLP_CIRCLES_BATCH_SIZE"


@pytest.fixture
def command(setpoint_command, monkeypatch):
    """`setpoint` on a system whose only catalogue is the example's."""
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(EXAMPLE / "catalogue.toml"))
    monkeypatch.setenv("SETPOINT_SEEDS", str(EXAMPLE / "seeds"))
    return setpoint_command


@pytest.fixture
def seeded(command):
    assert command("seed", "--apply").code == 0
    return command


def test_every_key_of_the_catalogue_is_seeded(seeded):
    """The example's seeds give every key of its catalogue a value, and nothing else."""
    audit = seeded("coverage", "--json", "--fail-under", "100")
    (member,) = audit.json["catalogues"]

    assert audit.code == 0
    assert (member["name"], member["declared"], member["seeded"]) == ("sklearn-example", 102, 102)
    assert audit.json["undeclared"] == []


def test_dimensions_override_in_the_catalogues_order(seeded):
    """An experiment wins over a cluster, whatever the order on the command line."""
    for context in (("cluster=small", "experiment=quick"), ("experiment=quick", "cluster=small")):
        pairs = [word for pair in context for word in ("--context", pair)]
        layers = seeded("explain", "mlp/circles/batch_size", *pairs, "--json").json["layers"]

        assert [(layer["scope"], layer["value"], layer["wins"]) for layer in layers] == [
            ("global", 128, False),
            ("cluster=small", 32, False),
            ("experiment=quick", 64, True),
        ]


def test_a_dimension_of_another_catalogue_is_refused(seeded):
    """`symbol` is a dimension of the bundled catalogues, not of this one."""
    refused = seeded("explain", BATCH, "--context", "symbol=BTCUSDC")

    assert refused.code == 3
    assert "use one of: cluster, experiment" in refused.err


LINEAR = 'min = 0.0, max = 0.1, scale = "linear"'


@pytest.mark.parametrize(
    ("edit", "invariant"),
    [
        (("value = 10\n", "value = 40\n"), "patience_ends_before_training"),
        (("value = 128\n", "value = 1501\n"), "a_batch_fits"),
        (("max = 0.1, scale", "max = 0.002, scale"), "value_within_range"),
        ((LINEAR, LINEAR.replace("0.0", "0.1")), "range_is_ordered"),
        ((LINEAR, LINEAR.replace("linear", "log")), "log_range_is_positive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_seed_that_breaks_an_invariant_is_refused_by_its_name(
    command, monkeypatch, tmp_path, edit, invariant
):
    """A wrong seed names the invariant, exits with 3 and stores nothing."""
    text = (EXAMPLE / "seeds/global.toml").read_text()
    assert edit[0] in text
    (tmp_path / "global.toml").write_text(text.replace(*edit, 1))
    monkeypatch.setenv("SETPOINT_SEEDS", str(tmp_path))
    refused = command("seed", "--apply")

    assert refused.code == 3
    assert invariant in refused.err
    assert command("coverage", "--json").json["coverage_pct"] == 0


def test_a_pinned_snapshot_gives_typed_values_at_the_catalogues_addresses(seeded, tmp_path):
    """A float stays a float, a flag a flag, and a range has the type of its parameter."""
    file = tmp_path / "snapshot.json"
    assert seeded("pin", "--out", str(file), "--context", "experiment=quick").code == 0
    hp = Hyperparams(read_snapshot(file), load_catalogues(str(EXAMPLE / "catalogue.toml")))

    assert hp.resolve("kernel", "moons", "early_stopping") is False
    assert hp.resolve("kernel", "moons", "activation") == "tanh"
    assert hp.resolve("mlp", "moons", "learning_rate") == 0.01
    assert hp.range("mlp", "circles", "hidden_units") == (8, 64, "linear")
    assert hp.params("mlp", "moons")["learning_rate_init"] == 0.01
    assert "kernel_gamma" in hp.params("kernel", "moons")
    assert "kernel_gamma" not in hp.params("mlp", "moons")


def test_a_catalogue_without_rounds_says_so(seeded, tmp_path):
    """`rounds` is for boosters; elsewhere the error names the role that is missing."""
    file = tmp_path / "snapshot.json"
    seeded("pin", "--out", str(file))
    hp = Hyperparams(read_snapshot(file), load_catalogues(str(EXAMPLE / "catalogue.toml")))

    with pytest.raises(UnknownKey, match="no parameter of mlp/moons is declared with role = 'max_rounds'"):
        hp.rounds("mlp", "moons")


def test_a_fallback_names_the_catalogues_own_parts(monkeypatch, capfd):
    """The event of a fallback carries the parts of the key, whatever they are called."""
    monkeypatch.setenv("SETPOINT_CATALOGUES", str(EXAMPLE / "catalogue.toml"))
    monkeypatch.setenv(BATCH, "128")
    hp = setpoint.pin()

    assert hp.resolve("mlp", "moons", "weight_decay", fallback=0.5) == 0.5
    assert (
        "model= timeframe= param=weight_decay key=SKLEARN_HPO_MLP_MOONS_WEIGHT_DECAY fallback=0.5 "
        "reason=env_key_missing architecture=mlp dataset=moons run=program-"
    ) in capfd.readouterr().err
    with pytest.raises(MissingValue):
        hp.resolve("mlp", "moons", "weight_decay")


def test_bundled_seeds_are_not_mistaken_for_this_systems(command, monkeypatch):
    """Without seed files of its own a system is not reported as fully seeded."""
    monkeypatch.delenv("SETPOINT_SEEDS")
    refused = command("seed", "--dry-run")

    assert refused.code == 3
    assert "set SETPOINT_SEEDS" in refused.err


def test_a_sweep_says_that_it_is_for_the_bundled_harness(seeded):
    """The harness for boosters does not guess at a catalogue that is not its own."""
    refused = seeded("sweep", "--data", "synthetic")

    assert refused.code == 2
    assert "setpoint run -- COMMAND" in refused.err


@pytest.mark.usefixtures("seeded")
def test_any_program_gets_the_values_under_their_keys():
    """`setpoint run` exports the resolved values, and the pinned client reads the same."""
    program = (
        "import os, setpoint; hp = setpoint.pin({'experiment': 'quick'}); "
        f"print(os.environ['{BATCH}'], hp.resolve('mlp', 'circles', 'batch_size'))"
    )
    done = run_under_setpoint(EXAMPLE, "-c", program, context=("experiment=quick",))

    assert (done.returncode, done.stdout, done.stderr) == (0, "64 64\n", "")


def test_the_example_trains_with_the_pinned_values(seeded, tmp_path):
    """The real training runs on the overlay's budget, learns more than a coin knows, and names its values."""
    pinned = tmp_path / "snapshot.json"
    assert seeded("pin", "--out", str(pinned), "--context", "experiment=quick").code == 0
    done = run_under_setpoint(
        EXAMPLE, "-W", "ignore", "train.py", "kernel", "moons", context=("experiment=quick",)
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["trials"], result["snapshot"]) == (2, read_snapshot(pinned).hash)
    assert result["accuracy"] > 0.9
