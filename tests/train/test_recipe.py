from setpoint.client.results import Unit
from setpoint.train.recipe import unit_seed

UNIT = Unit("BTCUSDC", "xgb", "5m", "ATR0.5_1.5_H4", 0)


def test_a_units_seed_is_its_own():
    """Every field of a unit's name, and the run's seed, makes another seed of 31 bits."""
    others = [
        unit_seed(2, UNIT),
        *(
            unit_seed(1, UNIT._replace(**{name: value}))
            for name, value in (
                ("symbol", "ETHUSDC"),
                ("model", "lgb"),
                ("timeframe", "1h"),
                ("variant", "ATR1_2_H4"),
                ("fold", 1),
            )
        ),
    ]

    assert len({unit_seed(1, UNIT), *others}) == 7
    assert all(0 <= seed < 2**31 for seed in others)


def test_a_units_seed_is_the_same_everywhere():
    """Seeds come from a hash of the name, so that another machine makes the same models."""
    assert unit_seed(20260511, UNIT) == 1821957802  # sha256sum, first 31 bits


def test_a_unit_is_called_by_its_name():
    """A person reads which unit a message is about."""
    assert str(UNIT) == "BTCUSDC xgb 5m ATR0.5_1.5_H4 fold 0"
