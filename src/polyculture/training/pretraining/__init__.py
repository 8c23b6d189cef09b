"""What do a net's weights start from? Nothing, or what was learned before without these labels; and which then stay.

descent (how it is learned) · reconstruction · contrast · transferring · tuning (which weights go on learning)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.models.encoder import Encoder
from polyculture.preparation.problems import PROBLEMS
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from ..context import FitCost, TrainingContext
from .finetuning import TUNINGS, tuned


@dataclass(frozen=True, eq=False)
class Prior:
    """What pre-training is given.

    Parameters
    ----------
    train : the labelled training set; what it is like is looked at, its labels are not.
    pool : inputs without labels.
    encoder : how the net reads them.
    seed : of all that is random.
    setting : device and time limit.
    source : the problem that is transferred from; empty where none is.
    """

    train: Dataset
    pool: Shaped[np.ndarray, "p ..."]
    encoder: Encoder
    seed: int
    setting: TrainingContext
    source: str = ""


@dataclass(frozen=True)
class Started:
    """How pre-training went: the mean loss of each epoch, and what it took."""

    curve: tuple[float, ...] = ()
    effort: FitCost = FitCost(flops=0.0)


def none(net: Any, prior: Prior) -> Started:  # noqa: ARG001
    """Starting weights as they were drawn."""
    return Started()


def masked(
    net: Any,
    prior: Prior,
    *,
    pretraining_epochs: int = 20,
    pretraining_rate: float = 0.002,
    masked_share: float | None = None,
) -> Started:
    """Part of each input is hidden and has to be told from the rest, by a decoder of what the last layer reads.

    Hidden are patches of images and spectrograms, stretches of series, features of tables (half of them unless
    `masked_share` says otherwise), or words (15 %). Sources: Devlin et al. 2019, He et al. 2022.
    """
    from .reconstruction import learn

    share = masked_share or (0.15 if prior.encoder.form.vocabulary else 0.5)
    return learn(net, prior, (pretraining_epochs, pretraining_rate), masked=share, noise=0.0)


def autoencoder(
    net: Any,
    prior: Prior,
    *,
    pretraining_epochs: int = 20,
    pretraining_rate: float = 0.002,
    corruption: float = 0.3,
) -> Started:
    """Each input is spoiled and has to be told as it was: by noise of this spread, or with this share of words hidden.

    Source: denoising autoencoders of Vincent et al. 2008.
    """
    from .reconstruction import learn

    return learn(net, prior, (pretraining_epochs, pretraining_rate), masked=0.0, noise=corruption)


def contrastive(
    net: Any,
    prior: Prior,
    *,
    pretraining_epochs: int = 20,
    pretraining_rate: float = 0.002,
    pretraining_temperature: float = 0.2,
) -> Started:
    """Two spoiled views of one input have to look alike, and unlike those of the rest of the batch (Chen et al. 2020).

    Views are noised and have a fifth hidden, images are moved by up to an eighth; alike have to be projections of what
    the last layer reads. Where tokens are tagged it is the views of one token.
    """
    from .contrastive_learning import learn

    return learn(net, prior, (pretraining_epochs, pretraining_rate), pretraining_temperature)


def transfer(net: Any, prior: Prior, *, pretraining_epochs: int = 20, pretraining_rate: float = 0.002) -> Started:
    """The net first learns another problem, its inputs brought into the shape of these; all but the last layer is kept.

    Raises InputError where the inputs of the two problems cannot be brought together.
    """
    from .transfer_learning import learn

    return learn(net, prior, (pretraining_epochs, pretraining_rate))


PRETRAINING: dict[str, Callable[..., Started]] = {
    "none": none,
    "masked": masked,
    "autoencoder": autoencoder,
    "contrastive": contrastive,
    "transfer": transfer,
}
"""Level of the pre-training axis by name (``transfer`` is always ``transfer:PROBLEM``): changes a net's weights.
Keyword-only parameters are hyperparameters, and so are those of `tuned` wherever the level is not ``none``."""


def find_pretraining(name: str) -> Callable[..., Started]:
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
    """What the recipe can say about pre-training, with its default; nothing where there is none."""
    level = find_pretraining(recipe.pretraining)
    return {} if _from_nothing(recipe) else _options(level) | _options(tuned)


def check(recipe: Recipe) -> None:
    """Refuse a pre-training that there is not, or that is told something impossible."""
    told = _told(recipe)
    tuning = told.pop("tuning", "full")
    if tuning not in TUNINGS:
        raise InputError(f"tuning is {tuning!r}", " or ".join(map(repr, TUNINGS)))
    for name, value in told.items():
        most = 1 if name == "masked_share" else float("inf")
        if not 0 < value <= most:
            raise InputError(f"{name} is {value:g}", "more than 0" + ", at most 1" * (most == 1))


def encoder_of(recipe: Recipe, train: Dataset, setting: TrainingContext, reader: Any = Encoder) -> Any:
    """How a net reads: as its training set teaches, or all inputs that it will have seen where it is pre-trained.

    Parameters
    ----------
    reader : `Encoder`, or what a net brings along that has the method ``of``; such a one learns from `train` only.
    """
    kind, _, problem = recipe.pretraining.partition(":")
    seen = setting.pool if kind not in ("none", "transfer") else None
    if kind == "transfer" and train.modality == "text":
        from .transfer_learning import source_of

        seen = np.concatenate([train.array, source_of(problem, train).array])
    if seen is None or reader is not Encoder:
        return reader.of(train)
    unlabelled = Dataset(seen, np.zeros(len(seen), np.int64), ("",), modality=train.modality)
    return replace(Encoder.of(unlabelled), target=Encoder.of(train).target)


@contextmanager
def pretrained(
    net: Any, recipe: Recipe, encoder: Encoder, train: Dataset, setting: TrainingContext
) -> Iterator[Started]:
    """The net with its weights where the recipe wants them to start; inside, only those free that should learn on.

    Numbers depend on the recipe and its seed; torch's global stream is left where it was.
    """
    level = find_pretraining(recipe.pretraining)
    if _from_nothing(recipe):
        yield Started()
        return
    import torch

    pool = train.array if setting.pool is None else setting.pool
    seed = derived_seed(recipe.seed, "pretraining")
    prior = Prior(train, pool, encoder, seed, setting, recipe.pretraining.partition(":")[2])
    told = _told(recipe)
    free = {name: told.pop(name) for name in _options(tuned) if name in told}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        started = level(net, prior, **told)
    net.to("cpu")
    with tuned(net, torch.from_numpy(encoder(train.array[:2])), **free):
        yield started


def _from_nothing(recipe: Recipe) -> bool:
    """Whether the weights start as they were drawn; those of the hub's models do not."""
    return recipe.pretraining == "none" and not recipe.architecture.startswith("hf:")


def _told(recipe: Recipe) -> dict[str, Any]:
    """What the recipe does say; whole numbers where fractions are usual become floats again."""
    known = settable(recipe)
    said = {name: value for name, value in recipe.hyperparameters.items() if name in known}
    return {name: value if isinstance(known[name], (str, int)) else float(value) for name, value in said.items()}


def _options(level: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(level).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
