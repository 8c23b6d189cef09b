"""Which learners are there? One visible dict, classical learners and nets behind the same few methods."""

from __future__ import annotations

from . import classical, nets
from .architecture import Architecture, Fitted
from .classical import Classical
from .nets import Net, Schedule

ARCHITECTURES: dict[str, Architecture] = {
    "logistic": Classical(classical.logistic),
    "knn": Classical(classical.knn),
    "svm": Classical(classical.svm),
    "forest": Classical(classical.forest),
    "boosting": Classical(classical.boosting),
    "mlp": Net(nets.mlp, Schedule(epochs=20)),
    "lenet": Net(nets.lenet, Schedule(epochs=16)),
    "lstm": Net(nets.lstm, Schedule(epochs=40)),
    "transformer": Net(nets.transformer, Schedule(epochs=30)),
}
"""Level of the architecture axis by name."""

__all__ = ["ARCHITECTURES", "Architecture", "Classical", "Fitted", "Net", "Schedule"]
