"""The verbs of what is in production: export, serve, watch, label, retrain and judge."""

from . import export, judge, label, retrain, serve, watch

__all__ = ["export", "judge", "label", "retrain", "serve", "watch"]
