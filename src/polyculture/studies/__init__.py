"""Verbs put together: what the command line calls, callable from Python under the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .ablation import BASELINE as BASELINE
    from .ablation import CHANGES as CHANGES
    from .ablation import REGULARIZERS as REGULARIZERS
    from .ablation import AblationOptions as AblationOptions
    from .ablation import AblationResult as AblationResult
    from .ablation import ablate as ablate
    from .active import QueryOptions as QueryOptions
    from .active import QueryPool as QueryPool
    from .active import QueryResult as QueryResult
    from .active import pool_of as pool_of
    from .active import query as query
    from .cleaning import CleanOptions as CleanOptions
    from .cleaning import CleanResult as CleanResult
    from .cleaning import clean as clean
    from .cleaning import undo_clean as undo_clean
    from .compression import CompressionResult as CompressionResult
    from .compression import CompressOptions as CompressOptions
    from .compression import compress as compress
    from .crowds import CrowdOptions as CrowdOptions
    from .crowds import CrowdResult as CrowdResult
    from .crowds import crowd as crowd
    from .evaluation import RunResult as RunResult
    from .evolution import Archive as Archive
    from .evolution import EvolutionOptions as EvolutionOptions
    from .evolution import EvolutionResult as EvolutionResult
    from .evolution import Generations as Generations
    from .evolution import evolve as evolve
    from .evolution import evolve_recipes as evolve_recipes
    from .federation import FederateOptions as FederateOptions
    from .federation import FederationResult as FederationResult
    from .federation import federate as federate
    from .training_run import RunOptions as RunOptions
    from .training_run import run as run

_HOMES = {
    "AblationOptions": "ablation",
    "AblationResult": "ablation",
    "BASELINE": "ablation",
    "CHANGES": "ablation",
    "REGULARIZERS": "ablation",
    "ablate": "ablation",
    "QueryOptions": "active",
    "QueryPool": "active",
    "QueryResult": "active",
    "pool_of": "active",
    "query": "active",
    "CleanOptions": "cleaning",
    "CleanResult": "cleaning",
    "clean": "cleaning",
    "undo_clean": "cleaning",
    "CompressOptions": "compression",
    "CompressionResult": "compression",
    "compress": "compression",
    "CrowdOptions": "crowds",
    "CrowdResult": "crowds",
    "crowd": "crowds",
    "Archive": "evolution",
    "EvolutionOptions": "evolution",
    "EvolutionResult": "evolution",
    "Generations": "evolution",
    "evolve": "evolution",
    "evolve_recipes": "evolution",
    "FederateOptions": "federation",
    "FederationResult": "federation",
    "federate": "federation",
    "RunOptions": "training_run",
    "run": "training_run",
    "RunResult": "evaluation",
}
"""Where each name is."""

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
