"""polyculture: how alike is a set of models, why, whom does it fail, what breaks it, and which subset to keep?

    import polyculture as pc

    predictions = pc.read("predictions.csv")
    audit = pc.audit(predictions)
    print(audit.sentence)                      # 12 models; they fail like 2.31 [2.18, 2.45].
    pc.report(audit, "page.html")
    print(pc.select(predictions, k=3).sentence)

    result = pc.run("digits", pc.RunOptions(models=12), out="digits-run")
    pc.report(result.audit, "digits-run/page.html")
    print(pc.explain_run("digits-run").sentence)  # same answers for the same reasons?
    pc.export("digits-run", "bundle")          # graphs and plain files: polyculture serve bundle

Nouns: Recipe, Dataset, Split, Population, Predictions, Explanations, Audit, Portfolio, Bundle, Interval. Verbs: train,
predict, read, audit, check, compare, scaling, explain, select, combine, compress, export, serve, label, watch, retrain,
report; design, run, ablate, evolve and explain_run put them together. The command line has the same verbs. Everything
is loaded on first use: ``import polyculture`` is quick and loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from polyculture.deprecated import NAMES, install_old_modules, old_name
from polyculture.errors import FileError, InputError, MissingExtraError, PolycultureError, TrainingError
from polyculture.version import __version__ as __version__

if TYPE_CHECKING:
    from polyculture.auditing import AuditOptions as AuditOptions
    from polyculture.auditing import along_scale
    from polyculture.auditing import audit as audit
    from polyculture.auditing import check as check
    from polyculture.auditing import compare as compare
    from polyculture.auditing import text_alikeness as text_alikeness
    from polyculture.auditing.label_errors import find_label_errors
    from polyculture.dataset import Dataset as Dataset
    from polyculture.dataset import Split as Split
    from polyculture.deployment import Bundle as Bundle
    from polyculture.deployment import ExportOptions as ExportOptions
    from polyculture.deployment import export_bundle
    from polyculture.deployment import open_bundle as open_bundle
    from polyculture.deployment.judging import JudgeOptions as JudgeOptions
    from polyculture.deployment.judging import judge as judge
    from polyculture.deployment.retraining import RetrainOptions as RetrainOptions
    from polyculture.deployment.retraining import retrain as retrain
    from polyculture.deployment.server.options import ServerOptions as ServerOptions
    from polyculture.deployment.server.supervisor import serve as serve
    from polyculture.deployment.store.label_tables import label_file
    from polyculture.deployment.watch.audit import WatchOptions as WatchOptions
    from polyculture.deployment.watch.audit import watch as watch
    from polyculture.explanation import ExplainOptions as ExplainOptions
    from polyculture.explanation import explain as explain
    from polyculture.explanations import Explanations as Explanations
    from polyculture.formats import read as read
    from polyculture.formats import read_shards as read_shards
    from polyculture.population import Population as Population
    from polyculture.predictions import Predictions as Predictions
    from polyculture.predictions import PredictionSets as PredictionSets
    from polyculture.recipe import Recipe as Recipe
    from polyculture.recipe import design as design
    from polyculture.reporting import report as report
    from polyculture.results import Audit as Audit
    from polyculture.results import CheckResult as CheckResult
    from polyculture.results import Gate as Gate
    from polyculture.results import Portfolio as Portfolio
    from polyculture.selection import DiverseEnsembleClassifier as DiverseEnsembleClassifier
    from polyculture.selection import DiverseEnsembleRegressor as DiverseEnsembleRegressor
    from polyculture.selection import Goal as Goal
    from polyculture.selection import SelectionOptions as SelectionOptions
    from polyculture.selection import combine as combine
    from polyculture.selection import select as select
    from polyculture.stats import Interval as Interval
    from polyculture.studies.ablation import AblationOptions as AblationOptions
    from polyculture.studies.ablation import ablate as ablate
    from polyculture.studies.active import QueryOptions as QueryOptions
    from polyculture.studies.active import query as query
    from polyculture.studies.cleaning import CleanOptions as CleanOptions
    from polyculture.studies.cleaning import clean as clean
    from polyculture.studies.cleaning import undo_clean as undo_clean
    from polyculture.studies.compression import CompressOptions as CompressOptions
    from polyculture.studies.compression import compress as compress
    from polyculture.studies.crowds import CrowdOptions as CrowdOptions
    from polyculture.studies.crowds import crowd as crowd
    from polyculture.studies.evolution import EvolutionOptions as EvolutionOptions
    from polyculture.studies.evolution import evolve as evolve
    from polyculture.studies.explanation import ExplainRunOptions as ExplainRunOptions
    from polyculture.studies.explanation import explain_run as explain_run
    from polyculture.studies.federation import FederateOptions as FederateOptions
    from polyculture.studies.federation import federate as federate
    from polyculture.studies.panel import PanelOptions as PanelOptions
    from polyculture.studies.panel import panel as panel
    from polyculture.studies.run_audit import audit_run as audit_run
    from polyculture.studies.stored_run import read_run as read_run
    from polyculture.studies.training_run import RunOptions as RunOptions
    from polyculture.studies.training_run import run as run
    from polyculture.training import DataOptions as DataOptions
    from polyculture.training import load_problem as load_problem
    from polyculture.training import predict as predict
    from polyculture.training import train as train
    from polyculture.training.federated import DifferentialPrivacy as DifferentialPrivacy
    from polyculture.training.federated import FederationPlan as FederationPlan
    from polyculture.training.federated import federate_clients as federate_clients
    from polyculture.training.federated import partition_clients as partition_clients
    from polyculture.training.out_of_fold import out_of_fold as out_of_fold

    export = export_bundle
    label = label_file
    label_errors = find_label_errors
    scaling = along_scale

_HOMES = {
    "Recipe": "recipe",
    "design": "recipe",
    "Dataset": "dataset",
    "Split": "dataset",
    "Population": "population",
    "Predictions": "predictions",
    "PredictionSets": "predictions",
    "Explanations": "explanations",
    "Audit": "results",
    "CheckResult": "results",
    "Gate": "results",
    "Portfolio": "results",
    "Interval": "stats",
    "AuditOptions": "auditing",
    "audit": "auditing",
    "check": "auditing",
    "compare": "auditing",
    "scaling": "auditing:along_scale",
    "text_alikeness": "auditing",
    "label_errors": "auditing.label_errors:find_label_errors",
    "read": "formats",
    "read_shards": "formats",
    "report": "reporting",
    "DiverseEnsembleClassifier": "selection",
    "DiverseEnsembleRegressor": "selection",
    "Goal": "selection",
    "SelectionOptions": "selection",
    "combine": "selection",
    "select": "selection",
    "ExplainOptions": "explanation",
    "explain": "explanation",
    "Bundle": "deployment",
    "ExportOptions": "deployment",
    "export": "deployment:export_bundle",
    "open_bundle": "deployment",
    "ServerOptions": "deployment.server.options",
    "serve": "deployment.server.supervisor",
    "label": "deployment.store.label_tables:label_file",
    "WatchOptions": "deployment.watch.audit",
    "watch": "deployment.watch.audit",
    "JudgeOptions": "deployment.judging",
    "judge": "deployment.judging",
    "RetrainOptions": "deployment.retraining",
    "retrain": "deployment.retraining",
    "DataOptions": "training",
    "DifferentialPrivacy": "training.federated",
    "FederationPlan": "training.federated",
    "federate_clients": "training.federated",
    "partition_clients": "training.federated",
    "load_problem": "training",
    "predict": "training",
    "train": "training",
    "out_of_fold": "training.out_of_fold",
    "RunOptions": "studies.training_run",
    "run": "studies.training_run",
    "audit_run": "studies.run_audit",
    "read_run": "studies.stored_run",
    "AblationOptions": "studies.ablation",
    "ablate": "studies.ablation",
    "EvolutionOptions": "studies.evolution",
    "evolve": "studies.evolution",
    "CrowdOptions": "studies.crowds",
    "crowd": "studies.crowds",
    "QueryOptions": "studies.active",
    "query": "studies.active",
    "CleanOptions": "studies.cleaning",
    "clean": "studies.cleaning",
    "undo_clean": "studies.cleaning",
    "CompressOptions": "studies.compression",
    "compress": "studies.compression",
    "ExplainRunOptions": "studies.explanation",
    "FederateOptions": "studies.federation",
    "federate": "studies.federation",
    "explain_run": "studies.explanation",
    "PanelOptions": "studies.panel",
    "panel": "studies.panel",
}
"""Where each public name is: its room, and after a colon its name there if that is another one."""

__all__ = ["FileError", "InputError", "MissingExtraError", "PolycultureError", "TrainingError", *_HOMES]

install_old_modules()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        room, _, attribute = _HOMES[name].partition(":")
        value = getattr(importlib.import_module(f"polyculture.{room}"), attribute or name)
        globals()[name] = value
        return value
    if name in NAMES:
        return old_name(name)
    raise AttributeError(f"module 'polyculture' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
