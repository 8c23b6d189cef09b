"""Which architectures are there? One visible dict of scikit-learn estimators and torch nets with the same methods."""

from __future__ import annotations

from polyculture.errors import InputError, near

from ..schedule import Schedule
from . import hub, sklearn_models
from .architecture import Architecture
from .net import Net
from .sklearn_models import SklearnModel

ARCHITECTURES: dict[str, Architecture] = {
    "logistic": SklearnModel(sklearn_models.logistic),
    "ridge": SklearnModel(None, sklearn_models.ridge),
    "naive-bayes": SklearnModel(sklearn_models.naive_bayes, reads_counts=False),
    "multinomial-naive-bayes": SklearnModel(sklearn_models.multinomial_naive_bayes, reads_words_only=True),
    "knn": SklearnModel(sklearn_models.knn, sklearn_models.knn_regressor),
    "svm": SklearnModel(sklearn_models.svm, sklearn_models.svm_regressor),
    "forest": SklearnModel(sklearn_models.forest, sklearn_models.forest_regressor),
    "extra-trees": SklearnModel(sklearn_models.extra_trees, sklearn_models.extra_trees_regressor),
    "boosting": SklearnModel(sklearn_models.boosting, sklearn_models.boosting_regressor, reads_counts=False),
    "mlp": Net("mlp.mlp", Schedule(epochs=20)),
    "selu-mlp": Net("mlp.selu_mlp", Schedule(epochs=20)),
    "lenet": Net("convolutional.lenet", Schedule(epochs=16)),
    "lenet5": Net("convolutional.lenet5", Schedule(epochs=30)),
    "alexnet": Net("convolutional.alexnet", Schedule(epochs=10)),
    "vgg": Net("convolutional.vgg", Schedule(epochs=10)),
    "inception": Net("convolutional.inception", Schedule(epochs=6)),
    "resnet": Net("residual.resnet", Schedule(epochs=10)),
    "densenet": Net("convolutional.densenet", Schedule(epochs=10)),
    "mobilenet": Net("residual.mobilenet", Schedule(epochs=6)),
    "c3d": Net("convolutional.c3d", Schedule(epochs=10)),
    "rnn": Net("recurrent.rnn", Schedule(epochs=40)),
    "lstm": Net("recurrent.lstm", Schedule(epochs=40)),
    "gru": Net("recurrent.gru", Schedule(epochs=40)),
    "attention": Net("attention.attention", Schedule(epochs=30)),
    "transformer": Net("attention.transformer", Schedule(epochs=30)),
    "transformer-decoder": Net("attention.transformer_decoder", Schedule(epochs=30)),
    "transformer-encdec": Net("attention.transformer_encdec", Schedule(epochs=30)),
    "vit": Net("attention.vit", Schedule(epochs=45)),
    "autoencoder": Net("autoencoder.autoencoder", Schedule(epochs=20)),
    "crf": Net("crf.crf", Schedule(epochs=20)),
    "multi-branch": Net("multi_branch.multi_branch", Schedule(epochs=20)),
}
"""Level of the architecture axis by name."""


def find_architecture(name: str) -> Architecture:
    """The architecture of that name, or ``hf:NAME`` of the hub; InputError, with the near names, if there is none."""
    if name.startswith(hub.PREFIX):
        return hub.from_hub(name)
    if name not in ARCHITECTURES:
        raise InputError(f"no architecture {name!r}", "", near(name, ARCHITECTURES))
    return ARCHITECTURES[name]


__all__ = ["ARCHITECTURES", "Architecture", "Net", "Schedule", "SklearnModel", "find_architecture"]
