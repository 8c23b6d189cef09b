"""Which learners are there? One visible dict, classical learners and nets behind the same few methods."""

from __future__ import annotations

from polyculture.errors import InputError, near

from ..schedule import Schedule
from . import (
    attention,
    autoencoder,
    branches,
    concatenated,
    convolutional,
    crf,
    dense,
    hub,
    learners,
    recurrent,
    residual,
    volume,
)
from .architecture import Architecture, Effort, Fitted, Setting, View
from .classical import Classical
from .net import Net

ARCHITECTURES: dict[str, Architecture] = {
    "logistic": Classical(learners.logistic),
    "ridge": Classical(None, learners.ridge),
    "naive-bayes": Classical(learners.naive_bayes, reads_counts=False),
    "knn": Classical(learners.knn, learners.knn_regressor),
    "svm": Classical(learners.svm, learners.svm_regressor),
    "forest": Classical(learners.forest, learners.forest_regressor),
    "extra-trees": Classical(learners.extra_trees, learners.extra_trees_regressor),
    "boosting": Classical(learners.boosting, learners.boosting_regressor, reads_counts=False),
    "mlp": Net(dense.mlp, Schedule(epochs=20)),
    "selu-mlp": Net(dense.selu_mlp, Schedule(epochs=20)),
    "lenet": Net(convolutional.lenet, Schedule(epochs=16)),
    "lenet5": Net(convolutional.lenet5, Schedule(epochs=30)),
    "alexnet": Net(convolutional.alexnet, Schedule(epochs=10)),
    "vgg": Net(convolutional.vgg, Schedule(epochs=10)),
    "inception": Net(concatenated.inception, Schedule(epochs=6)),
    "resnet": Net(residual.resnet, Schedule(epochs=10)),
    "densenet": Net(concatenated.densenet, Schedule(epochs=10)),
    "mobilenet": Net(residual.mobilenet, Schedule(epochs=6)),
    "c3d": Net(volume.c3d, Schedule(epochs=10)),
    "rnn": Net(recurrent.rnn, Schedule(epochs=40)),
    "lstm": Net(recurrent.lstm, Schedule(epochs=40)),
    "gru": Net(recurrent.gru, Schedule(epochs=40)),
    "attention": Net(attention.attention, Schedule(epochs=30)),
    "transformer": Net(attention.transformer, Schedule(epochs=30)),
    "transformer-decoder": Net(attention.transformer_decoder, Schedule(epochs=30)),
    "transformer-encdec": Net(attention.transformer_encdec, Schedule(epochs=30)),
    "vit": Net(attention.vit, Schedule(epochs=45)),
    "autoencoder": Net(autoencoder.autoencoder, Schedule(epochs=20)),
    "crf": Net(crf.crf, Schedule(epochs=20)),
    "multi-branch": Net(branches.multi_branch, Schedule(epochs=20)),
}
"""Level of the architecture axis by name."""


def find_architecture(name: str) -> Architecture:
    """The learner of that name, or ``hf:NAME`` of the hub; InputError, with the near names, if there is none."""
    if name.startswith(hub.PREFIX):
        return hub.from_hub(name)
    if name not in ARCHITECTURES:
        raise InputError(f"no architecture {name!r}", "", near(name, ARCHITECTURES))
    return ARCHITECTURES[name]


__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Classical",
    "Effort",
    "Fitted",
    "Net",
    "Schedule",
    "Setting",
    "View",
    "find_architecture",
]
