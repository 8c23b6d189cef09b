"""What do a net's weights start from? Random numbers, or pre-training without these labels; and which are then tuned.

loop · corruption · reconstruction · contrastive_learning · transfer_learning · finetuning · low_rank
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.models.encoder import Encoder
from polyculture.preparation.problems import PROBLEMS
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from ..context import PretrainingContext, TrainingContext, TrainingHistory
from ..hyperparameters import options, select
from .finetuning import TUNINGS, tuned


def none(net: Any, context: PretrainingContext) -> TrainingHistory:  # noqa: ARG001
    """Random starting weights."""
    return TrainingHistory()


def masked(
    net: Any,
    context: PretrainingContext,
    *,
    pretraining_epochs: int = 20,
    pretraining_rate: float = 0.002,
    masked_share: float | None = None,
) -> TrainingHistory:
    """Part of each input is masked and predicted from the rest, by a decoder of the last layer's inputs.

    Masked are patches of images and spectrograms, stretches of series, features of tables (half of them unless
    `masked_share` says otherwise), or words (15 %). Sources: Devlin et al. 2019, He et al. 2022.
    """
    from .reconstruction import learn

    share = masked_share or (0.15 if context.encoder.form.vocabulary else 0.5)
    return learn(net, context, (pretraining_epochs, pretraining_rate), masked=share, noise=0.0)


def autoencoder(
    net: Any,
    context: PretrainingContext,
    *,
    pretraining_epochs: int = 20,
    pretraining_rate: float = 0.002,
    corruption: float = 0.3,
) -> TrainingHistory:
    """Each input is corrupted, by noise of this spread or by masking this share of words, and reconstructed.

    Source: denoising autoencoders of Vincent et al. 2008.
    """
    from .reconstruction import learn

    return learn(net, context, (pretraining_epochs, pretraining_rate), masked=0.0, noise=corruption)


def contrastive(
    net: Any,
    context: PretrainingContext,
    *,
    pretraining_epochs: int = 20,
    pretraining_rate: float = 0.002,
    pretraining_temperature: float = 0.2,
) -> TrainingHistory:
    """Two corrupted views of one input are to be similar, and unlike the rest of the batch (Chen et al. 2020).

    Views are noised and have a fifth masked, images are shifted by up to an eighth; projections of the last layer's
    inputs are compared, and where tokens are tagged those of each token.
    """
    from .contrastive_learning import learn

    return learn(net, context, (pretraining_epochs, pretraining_rate), pretraining_temperature)


def transfer(
    net: Any, context: PretrainingContext, *, pretraining_epochs: int = 20, pretraining_rate: float = 0.002
) -> TrainingHistory:
    """The net is first trained on another problem, whose inputs get the shape of these; the last layer is discarded.

    Raises InputError where the inputs of the two problems cannot be matched.
    """
    from .transfer_learning import learn

    return learn(net, context, (pretraining_epochs, pretraining_rate))


PRETRAINING: dict[str, Callable[..., TrainingHistory]] = {
    "none": none,
    "masked": masked,
    "autoencoder": autoencoder,
    "contrastive": contrastive,
    "transfer": transfer,
}
"""Level of the pre-training axis by name (``transfer`` is always ``transfer:PROBLEM``): changes a net's weights.
Keyword-only parameters are hyperparameters, and so are those of `tuned` wherever the level is not ``none``."""


def find_pretraining(name: str) -> Callable[..., TrainingHistory]:
    """The pre-training of that name, such as ``"masked"`` or ``"transfer:digits"``.

    Raises InputError, with the near names, if there is none.
    """
    kind, colon, problem = name.partition(":")
    if kind not in PRETRAINING or (colon and kind != "transfer"):
        raise InputError(f"no pretraining {name!r}", "", near(kind, PRETRAINING))
    if kind == "transfer" and problem not in PROBLEMS:
        wrong = f"no problem {problem!r} to transfer from"
        raise InputError(wrong, "'transfer:PROBLEM'", near(problem, PROBLEMS))
    return PRETRAINING[kind]


def settable(recipe: Recipe) -> dict[str, Any]:
    """Hyperparameters of the recipe's pre-training, with their defaults; empty where there is none."""
    level = find_pretraining(recipe.pretraining)
    return {} if _from_nothing(recipe) else options(level) | options(tuned)


def check(recipe: Recipe) -> None:
    """Refuse an unknown pre-training and impossible hyperparameters."""
    settings = select(recipe.hyperparameters, settable(recipe))
    tuning = settings.pop("tuning", "full")
    if tuning not in TUNINGS:
        raise InputError(f"tuning is {tuning!r}", " or ".join(map(repr, TUNINGS)))
    for name, value in settings.items():
        limit = 1 if name == "masked_share" else float("inf")
        if not 0 < value <= limit:
            raise InputError(f"{name} is {value:g}", "more than 0" + ", at most 1" * (limit == 1))


def encoder_of(recipe: Recipe, train: Dataset, context: TrainingContext, reader: Any = Encoder) -> Any:
    """The net's encoder, fitted to its training set, or to all inputs of pre-training.

    Parameters
    ----------
    reader : `Encoder`, or anything else with the method ``of``, which is fitted to `train` only.
    """
    kind, _, problem = recipe.pretraining.partition(":")
    inputs = context.pool if kind not in ("none", "transfer") else None
    if kind == "transfer" and train.modality == "text":
        from .transfer_learning import source_of

        inputs = np.concatenate([train.array, source_of(problem, train).array])
    if inputs is None or reader is not Encoder:
        return reader.of(train)
    unlabelled = Dataset(inputs, np.zeros(len(inputs), np.int64), ("",), modality=train.modality)
    return replace(Encoder.of(unlabelled), target=Encoder.of(train).target)


@contextmanager
def pretrained(
    net: Any, recipe: Recipe, encoder: Encoder, train: Dataset, context: TrainingContext
) -> Iterator[TrainingHistory]:
    """Pre-train the net; inside, only the weights that the recipe tunes are trainable.

    Numbers depend on the recipe and its seed; torch's global stream is restored.
    """
    level = find_pretraining(recipe.pretraining)
    if _from_nothing(recipe):
        yield TrainingHistory()
        return
    import torch

    pool = train.array if context.pool is None else context.pool
    seed = derived_seed(recipe.seed, "pretraining")
    pretraining_context = PretrainingContext(train, pool, encoder, seed, context, recipe.pretraining.partition(":")[2])
    settings = select(recipe.hyperparameters, options(level))
    tuning = select(recipe.hyperparameters, options(tuned))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        history = level(net, pretraining_context, **settings)
    net.to("cpu")
    with tuned(net, torch.from_numpy(encoder(train.array[:2])), **tuning):
        yield history


def _from_nothing(recipe: Recipe) -> bool:
    """Whether the weights start from random numbers; those of the hub's models do not."""
    return recipe.pretraining == "none" and not recipe.architecture.startswith("hf:")
