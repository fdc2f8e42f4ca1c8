"""GOVERN: dated checkpoints: what must have happened by when, from evidence, closed by decisions alone."""
