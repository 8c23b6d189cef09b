"""How is a net trained by clients that keep their data? Partitions, algorithms, privacy, and what each client gets."""

from __future__ import annotations

from .federation import federate_clients
from .partition import label_mix, partition_clients
from .plan import ALGORITHMS, PERSONALIZATIONS, DifferentialPrivacy, FederationPlan
from .result import FederatedResult, FederatedRound
from .scores import FederatedScores, own_mix_accuracy

__all__ = [
    "ALGORITHMS",
    "PERSONALIZATIONS",
    "DifferentialPrivacy",
    "FederatedResult",
    "FederatedRound",
    "FederatedScores",
    "FederationPlan",
    "federate_clients",
    "label_mix",
    "own_mix_accuracy",
    "partition_clients",
]
