"""GATE: the gate: no hyperparameter literal in source. Standard library only; see ``__main__``."""
