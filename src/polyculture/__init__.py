"""polyculture: how alike is a set of models, why, whom it hurts, what breaks it, and which few to keep.

    import polyculture as pc

    audit = pc.audit(pc.read("predictions.csv"))
    print(audit.sentence)                      # 12 models; they fail like 2.31 [2.18, 2.45].
    pc.report(audit, "page.html")
    print(pc.select(pc.read("predictions.csv"), k=3).sentence)

Nouns: Recipe, Dataset, Split, Population, Predictions, Audit, Portfolio, Interval. Verbs: train, predict, read, audit,
select, combine, report.
Everything is loaded on first use, so ``import polyculture`` is quick and never loads torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from polyculture.errors import FileError, InputError, MissingExtraError, PolycultureError, TrainingError
from polyculture.version import __version__ as __version__

if TYPE_CHECKING:
    from polyculture.auditing import AuditOptions as AuditOptions
    from polyculture.auditing import audit as audit
    from polyculture.auditing import compare as compare
    from polyculture.auditing import text_alikeness as text_alikeness
    from polyculture.dataset import Dataset as Dataset
    from polyculture.dataset import Split as Split
    from polyculture.formats import read as read
    from polyculture.formats import read_shards as read_shards
    from polyculture.population import Population as Population
    from polyculture.predictions import Predictions as Predictions
    from polyculture.recipe import Recipe as Recipe
    from polyculture.reporting import report as report
    from polyculture.results import Audit as Audit
    from polyculture.results import Portfolio as Portfolio
    from polyculture.selection import DiverseEnsembleClassifier as DiverseEnsembleClassifier
    from polyculture.selection import DiverseEnsembleRegressor as DiverseEnsembleRegressor
    from polyculture.selection import Goal as Goal
    from polyculture.selection import SelectionOptions as SelectionOptions
    from polyculture.selection import combine as combine
    from polyculture.selection import combine_values as combine_values
    from polyculture.selection import select as select
    from polyculture.selection import select_values as select_values
    from polyculture.stats import Interval as Interval
    from polyculture.training import load_problem as load_problem
    from polyculture.training import predict as predict
    from polyculture.training import train as train
    from polyculture.values import Values as Values

_HOMES = {
    "Recipe": "recipe",
    "Dataset": "dataset",
    "Split": "dataset",
    "Population": "population",
    "Predictions": "predictions",
    "Values": "values",
    "Audit": "results",
    "Portfolio": "results",
    "Interval": "stats",
    "AuditOptions": "auditing",
    "audit": "auditing",
    "compare": "auditing",
    "text_alikeness": "auditing",
    "read": "formats",
    "read_shards": "formats",
    "report": "reporting",
    "DiverseEnsembleClassifier": "selection",
    "DiverseEnsembleRegressor": "selection",
    "Goal": "selection",
    "SelectionOptions": "selection",
    "combine": "selection",
    "combine_values": "selection",
    "select": "selection",
    "select_values": "selection",
    "train": "training",
    "predict": "training",
    "load_problem": "training",
}

__all__ = [
    "Audit",
    "AuditOptions",
    "Dataset",
    "DiverseEnsembleClassifier",
    "DiverseEnsembleRegressor",
    "FileError",
    "Goal",
    "InputError",
    "Interval",
    "MissingExtraError",
    "PolycultureError",
    "Population",
    "Portfolio",
    "Predictions",
    "Recipe",
    "SelectionOptions",
    "Split",
    "TrainingError",
    "Values",
    "audit",
    "combine",
    "combine_values",
    "compare",
    "load_problem",
    "predict",
    "read",
    "read_shards",
    "report",
    "select",
    "select_values",
    "text_alikeness",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"polyculture.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'polyculture' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
