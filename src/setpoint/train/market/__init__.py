"""TRAIN: candles: files, archive, synthetic market, and what is wrong with them."""
