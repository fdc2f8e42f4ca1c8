"""Setpoint: the control plane for training hyperparameters."""
