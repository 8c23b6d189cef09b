"""The verbs of what is in production: export, serve, watch, label and retrain."""

from . import export, label, retrain, serve, watch

__all__ = ["export", "label", "retrain", "serve", "watch"]
