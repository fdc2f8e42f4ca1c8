import pytest

from setpoint.errors import UsageError
from setpoint.orchestrate.market_folder import market_folder, pulled_folder
from setpoint.settings import Settings


def test_pulled_candles_give_way(tmp_path):
    """What is asked for wins over the variable, and that over pulled candles; no market is invented."""
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(UsageError, match="no market data is named"):
        market_folder("", settings)
    pulled = pulled_folder(settings)
    pulled.mkdir(parents=True)
    with pytest.raises(UsageError, match="no market data is named"):
        market_folder("", settings)
    (pulled / "BTCUSDC-5m.csv").touch()

    assert market_folder("", settings) == str(pulled)
    named = tmp_path / "named"
    named.mkdir()
    settings = Settings(home=settings.home, market_data=str(named))
    assert market_folder("", settings) == str(named)
    assert market_folder(str(tmp_path), settings) == str(tmp_path)
    assert not market_folder("synthetic", settings)
