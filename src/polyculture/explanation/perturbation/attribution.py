"""How do any callables explain themselves? By what happens to their answers where features are absent.

Every model has random streams of its own, made of the seed and its id: two models never share coalitions, because
shared coalitions inflate their agreement (with 200 samples of KernelSHAP from 0.44 to 0.66 of the top five features).
The noise ceiling of their agreement is that of one model with two seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models import tokenizer
from polyculture.rng import stream

from ..features import baseline_of, feature_shape
from ..options import ExplainOptions
from .game import Game, class_score
from .plans import Plan, Planner, kernel_shap_plan, lime_plan, occlusion_plan, shapley_plan
from .players import MOST_PLAYERS, ArrayPlayers, Players, blocks, singles
from .sound_players import SoundPlayers
from .word_players import WordPlayers

Models = Mapping[str, Callable[[np.ndarray], np.ndarray]]
Attributions = Float32[np.ndarray, "m n d"]


def occlusion(
    models: Models,
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,
    options: ExplainOptions,
) -> Attributions:
    """Score of the input less its score with the baseline in place of each feature; deterministic.

    Parameters as in `METHODS`. Features are columns, and blocks of pixels, voxels, steps, words or bins of sound that
    are as small as 64 of them allow, or have sides of `options.patch`. Source: Zeiler and Fergus 2014.
    """
    return _attributions(models, inputs, targets, background, options, lambda players, _: occlusion_plan(players))


def shapley_sampling(
    models: Models,
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,
    options: ExplainOptions,
) -> Attributions:
    """Shapley values from `options.samples` orders in which features join the baseline; exact for few features."""
    orders = options.samples or 25
    return _attributions(models, inputs, targets, background, options, lambda p, rng: shapley_plan(p, rng, orders))


def kernel_shap(
    models: Models,
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,
    options: ExplainOptions,
) -> Attributions:
    """Shapley values by least squares on `options.samples` coalitions; exact for few features."""
    samples = options.samples or 500
    return _attributions(models, inputs, targets, background, options, lambda p, rng: kernel_shap_plan(p, rng, samples))


def lime(
    models: Models,
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,
    options: ExplainOptions,
) -> Attributions:
    """Coefficients of a ridge regression of the score on the features present in `options.samples` coalitions."""
    samples = options.samples or 500
    return _attributions(models, inputs, targets, background, options, lambda p, rng: lime_plan(p, rng, samples))


def _attributions(
    models: Models,
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,
    options: ExplainOptions,
    planner: Planner,
) -> Attributions:
    shape = feature_shape(background.modality, inputs)
    attributions = np.empty((len(models), len(inputs), math.prod(shape)), np.float32)
    for row, target, (name, model) in zip(attributions, targets, models.items(), strict=True):
        players = players_of(model, inputs, background, options)
        game = Game(class_score(model, target, options.scale), players)
        row[:] = game.attributions(partial(_plan, planner, options.seed, name))
    return attributions


def _plan(planner: Planner, seed: int, model: str, row: int, players: int) -> Plan:
    return planner(players, stream(seed, "explanation", model, row))


def players_of(
    model: Any, inputs: Shaped[np.ndarray, "n ..."], background: Dataset, options: ExplainOptions
) -> Players:
    """The features that are absent or present as one, and what the baseline puts in their place.

    Raises InputError for tags, and for a baseline of another shape.
    """
    modality = background.modality
    if modality == "text":
        steps = getattr(getattr(model, "encoder", None), "steps", 0) or tokenizer.MOST_STEPS
        return WordPlayers(inputs, steps, feature_shape("text", inputs)[0], MOST_PLAYERS, options.patch)
    if modality == "tags":
        raise InputError("explanations of tags", "one prediction per input", "explain a model of texts or tables")
    if modality == "audio":
        return SoundPlayers(inputs, _reference_wave(background, options), MOST_PLAYERS, options.patch)
    baseline = baseline_of(background, options)[None]
    shape = inputs.shape[1:3] if modality == "image" else inputs.shape[1:]
    if modality == "table":
        groups = singles(shape)
    elif options.patch:
        sides = (options.patch,) * (len(shape) - (modality == "series")) + (1,) * (modality == "series")
        groups = blocks(shape, sides=sides)
    else:
        groups = blocks(shape, uncut=int(modality == "series"))
    return ArrayPlayers(np.asarray(inputs, np.float32), baseline, groups)


def _reference_wave(background: Dataset, options: ExplainOptions) -> Float32[np.ndarray, "1 t"]:
    """The waveform in place of absent bins: the mean one (waves cancel, it is nearly silent), zeros or a given one."""
    if isinstance(options.baseline, str):
        waves = background.array if options.baseline == "mean" else np.zeros((1, *background.array.shape[1:]))
        mean: np.ndarray = waves.mean(axis=0, dtype=np.float64)[None].astype(np.float32)
        return mean
    wave = np.asarray(options.baseline)
    if wave.dtype.kind not in "biuf" or not np.isfinite(wave).all():
        raise InputError(f"a baseline of the type {wave.dtype}", "finite numbers")
    return wave.astype(np.float32)[None]
