"""TRAIN: the harness that tunes and fits with governed values and proves which ones arrived."""
