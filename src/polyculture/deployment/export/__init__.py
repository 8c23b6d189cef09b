"""Fitted models as graphs, checked on probabilities; the only part of the room that needs torch or scikit-learn."""
