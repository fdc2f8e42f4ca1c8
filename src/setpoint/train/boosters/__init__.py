"""TRAIN: one adapter for each library, behind one interface."""
