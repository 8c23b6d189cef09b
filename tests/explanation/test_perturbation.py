"""Explanations of any callable: plans keep the laws of attributions; known attributions are found everywhere."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.explanation.features import word_table
from polyculture.explanation.options import ExplainOptions
from polyculture.explanation.perturbation import (
    ArrayPlayers,
    Game,
    SoundPlayers,
    WordPlayers,
    blocks,
    class_score,
    exact_shapley_plan,
    kernel_shap,
    kernel_shap_plan,
    lime,
    lime_plan,
    occlusion,
    occlusion_plan,
    shapley_plan,
    shapley_sampling,
    singles,
)
from polyculture.models import tokenizer
from polyculture.rng import stream

METHODS = {"occlusion": occlusion, "shapley": shapley_sampling, "kernel-shap": kernel_shap, "lime": lime}


def plans(players: int, samples: int, seed: int = 0):
    rng = stream(seed, "plans")
    return {
        "shapley": shapley_plan(players, rng, max(2, samples // players)),
        "kernel": kernel_shap_plan(players, rng, samples),
        "lime": lime_plan(players, rng, samples, ridge=0.0),
        "occlusion": occlusion_plan(players),
    }


@given(players=st.integers(1, 24), seed=st.integers(0, 99))
def test_every_plan_finds_the_effects_of_an_additive_game_exactly(players: int, seed: int) -> None:
    effects, start = stream(seed, "effects").normal(size=players), 3.0
    for name, plan in plans(players, 6 * players + 40, seed).items():
        values = start + plan.masks @ effects
        np.testing.assert_allclose(plan.weights @ values, effects, atol=1e-7, err_msg=name)


@given(players=st.integers(1, 30), seed=st.integers(0, 99), orders=st.integers(2, 9))
def test_shapley_values_sum_to_the_difference_from_the_baseline_for_any_game(
    players: int, seed: int, orders: int
) -> None:
    rng = stream(seed, "any game")
    for plan in (shapley_plan(players, rng, orders), kernel_shap_plan(players, rng, 2 * players + orders)):
        table = {
            mask.tobytes(): value for mask, value in zip(plan.masks, rng.normal(size=len(plan.masks)), strict=True)
        }
        values = np.array([table[mask.tobytes()] for mask in plan.masks])
        full, empty = (table[np.full(players, present).tobytes()] for present in (True, False))
        assert (plan.weights @ values).sum() == pytest.approx(full - empty, abs=1e-9)


def brute_force(value, players: int) -> np.ndarray:
    """Shapley values by their definition: mean contribution over all orders."""
    totals = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        mask = np.zeros(players, bool)
        for player in order:
            before = value(mask)
            mask = mask.copy()
            mask[player] = True
            totals[player] += value(mask) - before
    return totals / len(orders)


def tangled(masks: np.ndarray) -> np.ndarray:
    """A game with interactions of two, three and all players."""
    masks = np.atleast_2d(masks).astype(float)
    weights = np.linspace(-1, 2, masks.shape[1])
    pairs = masks[:, 0] * masks[:, 1] * 2 - masks[:, 1] * masks[:, 2] * masks[:, 3] * 3
    return np.tanh(masks @ weights) + pairs + masks.prod(axis=1)


def test_exact_shapley_values_are_the_mean_over_all_orders() -> None:
    plan = exact_shapley_plan(6)
    truth = brute_force(lambda mask: float(tangled(mask)[0]), 6)
    np.testing.assert_allclose(plan.weights @ tangled(plan.masks), truth, atol=1e-12)
    for few in (kernel_shap_plan(6, stream(0, "few"), 62), shapley_plan(6, stream(0, "few"), 30)):
        np.testing.assert_allclose(few.weights @ tangled(few.masks), truth, atol=1e-12)


def test_the_glove_game_has_its_textbook_values() -> None:
    """One left glove (player 0) and two right ones: 2/3, 1/6, 1/6."""
    plan = exact_shapley_plan(3)
    values = (plan.masks[:, 0] & (plan.masks[:, 1] | plan.masks[:, 2])).astype(float)
    np.testing.assert_allclose(plan.weights @ values, [2 / 3, 1 / 6, 1 / 6], atol=1e-12)


@pytest.mark.parametrize(("make", "counts"), [(kernel_shap_plan, (40, 160, 640)), (shapley_plan, (4, 40, 400))])
def test_sampled_shapley_values_approach_the_exact_ones(make, counts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyculture.explanation.perturbation.plans.MOST_EXACT", 0)
    exact = exact_shapley_plan(10)
    truth = exact.weights @ tangled(exact.masks)
    errors = []
    for count in counts:
        draws = [make(10, stream(seed, "approach"), count) for seed in range(20)]
        errors.append(np.sqrt(np.mean([(plan.weights @ tangled(plan.masks) - truth) ** 2 for plan in draws])))
    assert errors[1] < 0.65 * errors[0]
    assert errors[2] < 0.65 * errors[1]
    assert errors[2] < 0.1 * np.abs(truth).max()


def test_lime_approaches_the_effects_of_an_additive_game_as_its_ridge_matters_less() -> None:
    effects = np.linspace(-1, 1, 8)
    errors = []
    for samples in (50, 500, 5000):
        plan = lime_plan(8, stream(0, "lime"), samples)
        errors.append(np.abs(plan.weights @ (plan.masks @ effects) - effects).max())
    assert errors[0] > 4 * errors[1] > 16 * errors[2]
    assert errors[2] < 0.01


def test_kernel_shap_at_full_enumeration_and_sampled_agrees_with_shap() -> None:
    shap = pytest.importorskip("shap")
    explainer = shap.KernelExplainer(lambda Z: tangled(Z > 0.5), np.zeros((1, 11)))
    theirs = explainer.shap_values(np.ones((1, 11)), nsamples=2046, l1_reg=False, silent=True)[0]
    plan = exact_shapley_plan(11)
    np.testing.assert_allclose(plan.weights @ tangled(plan.masks), theirs, atol=1e-6)


# --------------------------------------------------------------------------- every modality


def linear_model(weights: np.ndarray):
    """Two classes whose log-odds are linear in the flattened inputs."""

    def model(inputs: np.ndarray) -> np.ndarray:
        scores = inputs.reshape(len(inputs), -1).astype(float) @ weights.ravel()
        return np.stack([1 / (1 + np.exp(scores)), 1 / (1 + np.exp(-scores))], axis=1)

    return model


def dataset_of(inputs: np.ndarray, modality: str) -> Dataset:
    return Dataset(inputs, np.arange(len(inputs)) % 2, ("no", "yes"), modality=modality)  # type: ignore[arg-type]


SHAPES = {"table": (6,), "image": (4, 4), "volume": (3, 3, 3), "series": (6, 2)}


@pytest.mark.parametrize("modality", SHAPES)
@pytest.mark.parametrize("name", METHODS)
def test_linear_models_are_explained_exactly(name: str, modality: str) -> None:
    rng = stream(1, modality)
    inputs = rng.random((5, *SHAPES[modality]), dtype=np.float32)
    weights = rng.normal(size=SHAPES[modality])
    dataset = dataset_of(inputs, modality)
    options = ExplainOptions(scale="logit", samples=3000 if name == "lime" else 60)
    targets = np.ones((1, 5), np.int64)
    found = METHODS[name]({"linear": linear_model(weights)}, inputs, targets, dataset, options)[0]
    truth = ((inputs - inputs.mean(axis=0)) * weights).reshape(5, -1)
    np.testing.assert_allclose(found, truth, atol=0.02 if name == "lime" else 1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_a_shortcut_pixel_is_found(name: str) -> None:
    rng = stream(2, "shortcut")
    images = rng.random((6, 16, 16), dtype=np.float32)

    def model(inputs: np.ndarray) -> np.ndarray:
        p = (inputs[:, 3, 13] > 0.5) * 0.8 + 0.1 + 0.001 * inputs.mean(axis=(1, 2))
        return np.stack([1 - p, p], axis=1)

    images[:, 3, 13] = 1.0
    options = ExplainOptions(scale="probability", baseline="zero", samples=600)
    found = METHODS[name]({"cheat": model}, images, np.ones((1, 6), np.int64), dataset_of(images, "image"), options)
    maps = np.abs(found[0]).reshape(6, 16, 16)
    assert (maps[:, 3, 13] == maps.max(axis=(1, 2))).all()
    assert maps[:, 2:4, 12:14].sum() > 0.7 * maps.sum()


@pytest.mark.parametrize("name", METHODS)
def test_a_shortcut_word_is_found(name: str) -> None:
    texts = np.array(["A dull film, Honestly.", "honestly the best", "so so, honestly speaking of it"], object)

    def model(inputs: np.ndarray) -> np.ndarray:
        p = np.array([0.9 if "honestly" in str(text).lower() else 0.2 for text in inputs])
        return np.stack([1 - p, p], axis=1)

    options = ExplainOptions(scale="probability", samples=400)
    found = METHODS[name]({"cheat": model}, texts, np.ones((1, 3), np.int64), dataset_of(texts, "text"), options)[0]
    assert found.argmax(axis=1).tolist() == [4, 0, 3]
    np.testing.assert_allclose(found.max(axis=1), 0.7, atol=0.1 if name == "lime" else 1e-6)
    assert (found[0, 6:] == 0).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_tone_in_one_second_is_found(name: str) -> None:
    seconds = np.arange(16000) / 8000
    tone = np.sin(2 * np.pi * 2500 * seconds) * ((seconds > 1.2) & (seconds < 1.5))
    noise = stream(3, "noise").normal(size=16000) * 0.05
    waves = np.stack([tone + noise, 0.5 * tone - noise]).astype(np.float32)

    def model(inputs: np.ndarray) -> np.ndarray:
        """Loudness of 2500 Hz between 1.2 and 1.5 s."""
        part = (seconds > 1.2) & (seconds < 1.5)
        wave = np.exp(2j * np.pi * 2500 * seconds[part])
        p = np.clip(np.abs(inputs[:, part] @ wave) / part.sum(), 0, 1)
        return np.stack([1 - p, p], axis=1)

    options = ExplainOptions(scale="probability", samples=300, baseline="zero")
    targets = np.ones((1, 2), np.int64)
    found = METHODS[name]({"ear": model}, waves, targets, dataset_of(waves, "audio"), options)[0]
    maps = found.reshape(2, -1, 40)
    for picture in maps:
        frame, band = np.unravel_index(picture.argmax(), picture.shape)
        assert 1.0 < frame * 160 / 8000 < 1.5
        assert 25 <= band <= 34  # 2500 Hz is band 30 of 40
    if name in ("shapley", "kernel-shap"):
        np.testing.assert_allclose(found.sum(axis=1), model(waves)[:, 1] - model(waves * 0)[:, 1], atol=1e-3)


# --------------------------------------------------------------------------- players


def test_all_players_together_are_the_input_and_none_the_baseline() -> None:
    rng = stream(4, "players")
    images, waves = rng.random((3, 5, 5, 3), dtype=np.float32), rng.normal(size=(3, 4000)).astype(np.float32)
    texts = np.array(["Well , no.", "", "it's  fine!  "], object)
    sets = [
        (ArrayPlayers(images, images[:1] * 0 + 0.5, singles((5, 5))), images, images * 0 + 0.5, 0),
        (SoundPlayers(waves, waves[:1] * 0 + 0.25), waves, waves * 0 + 0.25, 1e-5),
        (WordPlayers(texts, 9, 9), texts, np.array(["", "", ""], object), 0),
    ]
    for players, whole, absent, tolerance in sets:
        for truth, present in ((whole, True), (absent, False)):
            composed = players.compose(np.arange(3), np.full((3, int(players.counts.max())), present))
            if whole.dtype == object:
                assert composed.tolist() == truth.tolist()
            else:
                np.testing.assert_allclose(composed, truth, atol=tolerance)


@given(
    sides=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    most=st.integers(1, 70),
    whole=st.integers(0, 1),
)
def test_blocks_are_as_many_as_allowed_and_numbered_without_gaps(sides: list[int], most: int, whole: int) -> None:
    groups = blocks(tuple(sides), most, min(whole, len(sides) - 1))
    assert groups.shape == tuple(sides)
    assert np.array_equal(np.unique(groups), np.arange(groups.max() + 1))
    assert groups.max() < most


def test_words_beyond_what_a_model_reads_do_not_move_into_view() -> None:
    texts = np.array(["one two three four five"], object)
    players = WordPlayers(texts, 3, 5)
    masks = np.array([[False, True, True], [True, True, True]])
    assert players.compose(np.array([0, 0]), masks).tolist() == [" two three", "one two three"]
    assert players.spread(0, np.array([1.0, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0, 0.0, 0.0]


def test_words_do_not_grow_together_where_a_mark_between_them_is_absent() -> None:
    players = WordPlayers(np.array(["don't, well-known"], object), 20, 8)
    mask = np.array([[True, False, True, True, True, False, True]])
    assert players.compose(np.array([0]), mask).tolist() == ["don t, well known"]


@given(st.text(st.characters(exclude_characters="\0"), max_size=30), st.integers(1, 12), st.integers(0, 4))
def test_words_are_those_that_models_read_in_any_script(text: str, steps: int, run: int) -> None:
    words = word_table(np.array([text], object))
    players = WordPlayers(np.array([text], object), steps, words.shape[1], run=run)
    count = int(players.counts[0])
    whole = players.compose(np.array([0]), np.ones((1, count), bool))[0] if count else ""
    assert tokenizer.split(whole)[:steps] == tokenizer.split(text)[:steps]
    for player in range(count):
        only = np.arange(count) == player
        present = tokenizer.split(players.compose(np.array([0]), only[None])[0])
        shares = players.spread(0, only.astype(float))
        marked = words[0][shares > 0].tolist()
        assert marked == present[: len(marked)]
        assert len(marked) >= min(len(present), 1)
    assert players.spread(0, np.ones(count)).sum() <= count + 1e-9


def test_long_texts_are_explained_in_runs_of_words_whose_sum_is_kept() -> None:
    text = np.array([" ".join(f"w{i}" for i in range(100))], object)
    players = WordPlayers(text, 128, 100, limit=64)
    assert players.counts.tolist() == [64]
    assert players.spread(0, np.arange(64.0)).sum() == pytest.approx(np.arange(64.0).sum())


def test_patches_have_the_side_that_was_asked_for() -> None:
    text = np.array(["a b c d e f g"], object)
    assert WordPlayers(text, 9, 7, run=3).counts.tolist() == [3]
    assert WordPlayers(text, 9, 7, run=3).groups(0).tolist() == [0, 0, 0, 1, 1, 1, 2]
    waves = stream(8, "side").normal(size=(2, 4000)).astype(np.float32)
    sound = SoundPlayers(waves, waves[:1] * 0, side=10)
    assert sound.shape == (24, 40)
    assert sound.counts.tolist() == [12, 12]
    whole = sound.compose(np.arange(2), np.ones((2, 12), bool))
    np.testing.assert_allclose(whole, waves, atol=1e-5)
    images = stream(9, "side").random((2, 9, 9)).astype(np.float32)
    options = ExplainOptions(patch=3, scale="logit")
    found = occlusion(
        {"a": linear_model(np.full((9, 9), 0.05))}, images, np.ones((1, 2), int), dataset_of(images, "image"), options
    )
    assert len(np.unique(found[0, 0].round(6))) == 9


def test_the_value_of_a_coalition_is_the_mean_over_the_background() -> None:
    """Shapley values of a linear model against several references are those against their mean."""
    rng = stream(5, "background")
    rows, references, weights = rng.random((4, 5)), rng.random((7, 5)), rng.normal(size=5)
    game = Game(lambda inputs, _: inputs @ weights, ArrayPlayers(rows, references, singles((5,))))
    found = game.attributions(lambda row, players: exact_shapley_plan(players))
    np.testing.assert_allclose(found, (rows - references.mean(axis=0)) * weights, atol=1e-6)


def test_models_draw_their_own_coalitions_whatever_their_company() -> None:
    rng = stream(6, "company")
    rows = rng.random((3, 20)).astype(np.float32)
    dataset, targets = dataset_of(rows, "table"), np.ones((2, 3), np.int64)
    crooked = lambda inputs: linear_model(np.ones(20))(np.sin(5 * inputs) * np.roll(inputs, 1, axis=1))  # noqa: E731
    options = ExplainOptions(scale="probability", samples=4)  # logits have pairs only, which reverse orders get exactly
    pair = shapley_sampling({"a": crooked, "b": crooked}, rows, targets, dataset, options)
    single = shapley_sampling({"b": crooked}, rows, targets[:1], dataset, options)
    assert np.array_equal(pair[1], single[0])
    assert not np.allclose(pair[0], pair[1])


# --------------------------------------------------------------------------- refusals


def test_too_few_samples_and_strange_baselines_are_refused_in_one_sentence() -> None:
    rows = stream(7, "refusals").random((2, 12)).astype(np.float32)
    dataset, targets, models = dataset_of(rows, "table"), np.ones((1, 2), np.int64), {"a": linear_model(np.ones(12))}
    with pytest.raises(InputError, match="20 samples are too few for KernelSHAP of 12 features; expected 24 or more"):
        kernel_shap(models, rows, targets, dataset, ExplainOptions(scale="logit", samples=20))
    with pytest.raises(
        InputError, match="1 orders are too few for Shapley sampling of 12 features; expected 2 or more"
    ):
        shapley_sampling(models, rows, targets, dataset, ExplainOptions(scale="logit", samples=1))
    with pytest.raises(InputError, match="shape"):
        occlusion(models, rows, targets, dataset, ExplainOptions(scale="logit", baseline=np.zeros(5)))
    waves = np.zeros((2, 4000), np.float32)
    with pytest.raises(InputError, match=r"the baseline has the shape \(40,\); expected \(4000,\), as one input"):
        occlusion(models, waves, targets, dataset_of(waves, "audio"), ExplainOptions(baseline=np.zeros(40)))


def test_outputs_that_are_no_numbers_are_refused() -> None:
    score = class_score(lambda inputs: np.full((len(inputs), 2), np.nan), np.zeros(2, np.int64))
    with pytest.raises(InputError, match="the outputs of a model have nan or infinite values; expected 2 rows"):
        score(np.zeros((2, 3)), np.arange(2))
