"""TRAIN: the tables of bars, which are polars'; only this module imports it.

Guarantees: Ctrl-C is acted on at once. Polars, when imported, lets the system take up again whatever waited
when the signal came, so that a sweep that waits for a long unit would hear of it only when that unit ends.
"""

import signal

import polars as pl

signal.siginterrupt(signal.SIGINT, True)

__all__ = ["pl"]
