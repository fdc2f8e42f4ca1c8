"""GOVERN: verdicts, reports and gates on what the values did."""
