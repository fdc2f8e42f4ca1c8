"""OBSERVE: what Setpoint says about itself while it works: events, declared once as types."""
