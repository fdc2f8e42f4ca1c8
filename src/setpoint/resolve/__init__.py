"""RESOLVE: a training process pins a snapshot and reads its values. Standard library only."""
