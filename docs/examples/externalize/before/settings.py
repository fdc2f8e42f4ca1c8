"""What all scripts share."""

import json
from pathlib import Path

SYMBOL = "BTCUSDT"
TIMEFRAME = "5m"
SEED = 7
HORIZON_BARS = 12  # one hour of 5-minute bars
WORTH_IT = 0.002  # an entry must gain this much to pay its costs

L2_PENALTY = 2.5  # weak signals need a strong hand
MAX_ROUNDS = 300  # LightGBM and CatBoost; early stopping ends most fits sooner

CONFIG = json.loads(Path(__file__).with_name("config.json").read_text())
