"""Does an augmented training set keep its form, and is it drawn from its generator alone?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from polyculture import rng
from polyculture.dataset import Dataset
from polyculture.preparation.transforms import TRANSFORMS as DATA
from polyculture.preparation.transforms import back_translation, find_transform, synonyms
from polyculture.preparation.transforms.numeric import interpolated
from polyculture.preparation.transforms.texts import BLANK
from polyculture.preparation.transforms.word_substitution import nearest_words

VIEWS = [name for name, level in DATA.items() if level.view is not None]
PAIRS = [(name, modality) for name in VIEWS for modality in DATA[name].modalities]
SOFT = ("mixup", "cutmix")


def seen(dataset: Dataset, name: str, seed: int = 0) -> tuple[np.ndarray, Any]:
    """The inputs and shares that a level shows in an epoch."""
    if DATA[name.partition(":")[0]].package:
        pytest.importorskip(DATA[name.partition(":")[0]].package)
    view = find_transform(name).view
    assert view is not None
    return view(dataset, rng.stream(seed, "view", 1))


@pytest.fixture
def squares() -> Dataset:
    """White squares of 4 × 4 in the middle of 64 black images of 16 × 16, two classes."""
    images = np.zeros((64, 16, 16), np.float32)
    images[:, 6:10, 6:10] = 1
    return Dataset(images, np.arange(64) % 2, ("even", "odd"), modality="image")


@pytest.mark.parametrize(("name", "modality"), PAIRS)
def test_a_view_has_the_same_form_and_is_drawn_from_its_generator_alone(
    sets: dict[str, Dataset], name: str, modality: str
) -> None:
    dataset = sets[modality]
    before = dataset.array.copy()
    torch_before = torch.random.get_rng_state()
    inputs, shares = seen(dataset, name)
    torch.rand(3)
    again, same_shares = seen(dataset, name)
    other, _ = seen(dataset, name, seed=1)
    assert inputs.shape == dataset.array.shape
    assert inputs.dtype.kind == dataset.array.dtype.kind
    np.testing.assert_array_equal(inputs, again)
    assert not np.array_equal(inputs, other)
    assert not np.array_equal(inputs, dataset.array)
    np.testing.assert_array_equal(dataset.array, before)
    assert (shares is not None) == (name in SOFT)
    if shares is not None:
        np.testing.assert_array_equal(shares, same_shares)
    if modality in ("image", "volume", "audio"):
        assert inputs.dtype == np.float32
        assert inputs.max() <= 1
        assert inputs.min() >= (-1 if modality == "audio" else 0)
    torch.random.set_rng_state(torch_before)


@pytest.mark.parametrize("name", [name for name, modality in PAIRS if modality == "image"])
def test_views_of_images_leave_torch_as_it_was_and_take_colours(sets: dict[str, Dataset], name: str) -> None:
    before = torch.random.get_rng_state()
    inputs, _ = seen(sets["colour"], name)
    assert torch.equal(before, torch.random.get_rng_state())
    assert inputs.shape == sets["colour"].array.shape
    if name not in ("noise",):
        np.testing.assert_allclose(inputs[..., 0], inputs[..., 1], atol=1e-5)


@pytest.mark.parametrize("name", SOFT)
def test_shares_of_mixed_labels_add_up_to_one(sets: dict[str, Dataset], name: str) -> None:
    _, shares = seen(sets["image"], name)
    assert shares.dtype == np.float32
    assert (shares >= -1e-6).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert ((shares > 0.01).sum(axis=1) > 1).any()


def test_mixup_mixes_inputs_as_it_mixes_labels() -> None:
    labels = np.arange(6)
    codes = Dataset(np.eye(6, dtype=np.float32), labels, tuple("abcdef"))
    inputs, shares = seen(codes, "mixup:1")
    np.testing.assert_allclose(inputs, shares, atol=1e-6)


def test_cutmix_weighs_labels_by_area() -> None:
    images = np.zeros((60, 10, 10), np.float32)
    images[30:] = 1
    dataset = Dataset(images, np.repeat([0, 1], 30), ("black", "white"), modality="image")
    inputs, shares = seen(dataset, "cutmix")
    np.testing.assert_allclose(inputs.mean(axis=(1, 2)), shares[:, 1], atol=1e-5)


def test_turning_keeps_the_middle_and_its_angle_is_bounded(squares: Dataset) -> None:
    small, large = (np.abs(seen(squares, f"rotate:{angle}")[0] - squares.array).mean() for angle in (5, 45))
    assert 0 < small < large
    assert (seen(squares, "rotate:45")[0][:, 7:9, 7:9] > 0.99).all()


def test_shifts_move_the_middle_by_at_most_their_share(squares: Dataset) -> None:
    places = np.arange(16)
    inputs, _ = seen(squares, "shift:0.2")
    weight = inputs.sum(axis=(1, 2))
    middle = (inputs.sum(axis=2) @ places) / weight
    assert np.abs(middle - 7.5).max() <= 0.2 * 16 + 0.1
    assert np.abs(middle - 7.5).max() > 1
    np.testing.assert_allclose(weight, 16, rtol=0.1)


def test_scaling_images_changes_sizes_by_at_most_its_share(squares: Dataset) -> None:
    size = np.sqrt(seen(squares, "scale:0.3")[0].sum(axis=(1, 2))) / 4
    assert size.min() < 0.9 < 1.1 < size.max()
    assert size.min() > 0.6
    assert size.max() < 1.4


def test_flips_mirror_their_share_of_the_images(sets: dict[str, Dataset]) -> None:
    images = sets["image"].array
    np.testing.assert_allclose(seen(sets["image"], "flip:1")[0], images[:, :, ::-1], atol=1e-6)
    half = seen(sets["image"], "flip")[0]
    mirrored = np.isclose(half, images[:, :, ::-1]).all(axis=(1, 2))
    assert 0.3 < mirrored.mean() < 0.7
    assert (mirrored | np.isclose(half, images).all(axis=(1, 2))).all()


def test_a_crop_enlarges_what_is_left(squares: Dataset) -> None:
    sizes = seen(squares, "crop:0.5")[0].sum(axis=(1, 2)) / 16
    assert sizes.min() > 0.7
    assert 1.2 < sizes.max() < 2.5


def test_erasing_blackens_one_rectangle_on_half_of_the_images() -> None:
    white = Dataset(np.ones((200, 12, 12), np.float32), np.zeros(200, np.int64), ("white",), modality="image")
    black = seen(white, "erase:0.3")[0] == 0
    erased = black.any(axis=(1, 2))
    assert 0.35 < erased.mean() < 0.65
    for image in black[erased]:
        rows, columns = image.any(axis=1), image.any(axis=0)
        np.testing.assert_array_equal(image, rows[:, None] & columns)
    assert black.mean(axis=(1, 2)).max() < 0.4


def test_blurring_spreads_and_keeps_the_sum(squares: Dataset) -> None:
    inputs = seen(squares, "blur:1.5")[0]
    np.testing.assert_allclose(inputs.sum(axis=(1, 2)), 16, rtol=1e-3)
    assert inputs[:, 5, 7].mean() > 0.05


def test_randaugment_does_unlike_things_to_unlike_images_and_more_at_more_magnitude(squares: Dataset) -> None:
    changes = [np.abs(seen(squares, f"randaugment:{m}")[0] - squares.array).mean(axis=(1, 2)) for m in (3, 20)]
    assert changes[0].mean() < changes[1].mean()
    assert len(np.unique(changes[1].round(6))) > 20


@pytest.mark.parametrize("modality", ["image", "volume"])
def test_noise_of_images_has_its_spread(sets: dict[str, Dataset], modality: str) -> None:
    grey = sets[modality].with_inputs(np.full_like(sets[modality].array, 0.5))
    assert seen(grey, "noise:0.05")[0].std() == pytest.approx(0.05, rel=0.05)


def test_noise_of_sounds_is_as_loud_as_its_share_of_them(sets: dict[str, Dataset]) -> None:
    quiet = sets["audio"].with_inputs(sets["audio"].array * np.linspace(0.01, 1, 90, dtype=np.float32)[:, None])
    added = seen(quiet, "noise:0.1")[0] - quiet.array
    ratio = np.sqrt((added**2).mean(axis=1) / (quiet.array**2).mean(axis=1))
    np.testing.assert_allclose(ratio, 0.1, rtol=0.1)


def test_jitter_is_in_proportion_to_each_feature() -> None:
    table = Dataset(np.random.default_rng(0).normal(0, [1, 100, 0], (4000, 3)), np.zeros(4000, np.int64), ("only",))
    added = seen(table, "jitter:0.2")[0] - table.array
    np.testing.assert_allclose(added.std(axis=0) / table.array.std(axis=0).clip(1e-9), [0.2, 0.2, 0], atol=0.01)


def test_a_masked_value_is_that_of_another_row() -> None:
    inputs = np.arange(900.0).reshape(300, 3)
    table = Dataset(inputs, np.zeros(300, np.int64), ("only",))
    masked = seen(table, "mask:0.3")[0]
    assert 0.2 < (masked != inputs).mean() < 0.4
    assert all(np.isin(masked[:, k], inputs[:, k]).all() for k in range(3))


def test_scaling_multiplies_every_feature_of_a_series_by_one_factor(sets: dict[str, Dataset]) -> None:
    series = sets["series"]
    factors = seen(series, "scaling:0.2")[0] / series.array
    np.testing.assert_allclose(factors, factors[:, :1].repeat(8, axis=1), rtol=1e-4)
    assert factors[:, 0].std() == pytest.approx(0.2, rel=0.2)


def test_a_warped_series_goes_from_the_same_start_to_the_same_end() -> None:
    ramps = np.tile(np.linspace(0, 1, 50, dtype=np.float32)[None, :, None], (40, 1, 2))
    warped = seen(Dataset(ramps, np.zeros(40, np.int64), ("up",), modality="series"), "window-warp:0.3")[0]
    np.testing.assert_allclose(warped[:, [0, -1]], ramps[:, [0, -1]], atol=1e-6)
    assert (np.diff(warped, axis=1) > 0).all()
    assert np.abs(warped - ramps).max() > 0.05


def test_interpolation_is_numpys_and_zero_outside() -> None:
    draw = np.random.default_rng(0)
    series, places = draw.normal(size=(5, 9)), draw.uniform(-2, 10, (5, 20))
    wanted = [np.interp(p, np.arange(9), s, left=0, right=0) for p, s in zip(places, series, strict=True)]
    np.testing.assert_allclose(interpolated(series, places), wanted, atol=1e-6)


def test_gain_is_bounded_in_decibels(sets: dict[str, Dataset]) -> None:
    soft = sets["audio"].with_inputs(sets["audio"].array * 0.1)
    decibels = 20 * np.log10(np.abs(seen(soft, "gain:6")[0]).max(axis=1) / np.abs(soft.array).max(axis=1))
    assert np.abs(decibels).max() <= 6 + 1e-4
    assert decibels.min() < -3 < 3 < decibels.max()


def test_speed_changes_pitch_by_at_most_its_share() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)[None].repeat(50, axis=0).astype(np.float32)
    sounds = Dataset(tone, np.zeros(50, np.int64), ("tone",), modality="audio")
    pitch = np.abs(np.fft.rfft(seen(sounds, "speed:0.2")[0], axis=1)).argmax(axis=1)
    assert 795 <= pitch.min() < 900
    assert 1100 < pitch.max() <= 1205


def test_masks_of_sounds_silence_one_stretch_or_one_band() -> None:
    white = np.random.default_rng(0).normal(0, 0.1, (60, 4000)).astype(np.float32)
    sounds = Dataset(white, np.zeros(60, np.int64), ("hiss",), modality="audio")
    silent = seen(sounds, "time-mask:0.5")[0] == 0
    ends = np.diff(silent.astype(int), axis=1)
    assert ((ends == 1).sum(axis=1) <= 1).all()
    assert 0.15 < silent.mean() < 0.35
    spectrum = np.abs(np.fft.rfft(seen(sounds, "frequency-mask:0.5")[0], axis=1))
    gone = spectrum < 1e-3
    assert 0.02 < gone.mean() < 0.6
    assert ((np.diff(gone.astype(int), axis=1) == 1).sum(axis=1) <= 1).all()
    both = seen(sounds, "specaugment:0.5")[0]
    assert not np.array_equal(both, seen(sounds, "time-mask:0.5")[0])


def test_dropped_words_are_gone_and_one_is_always_left(sets: dict[str, Dataset]) -> None:
    text = sets["text"]
    for short, whole in zip(seen(text, "drop:1")[0], text.array, strict=True):
        assert short == whole
    shorter = seen(text, "drop:0.3")[0]
    counts = [(len(s.split()), len(w.split())) for s, w in zip(shorter, text.array, strict=True)]
    assert 0.5 < sum(c[0] for c in counts) / sum(c[1] for c in counts) < 0.85
    assert min(c[0] for c in counts) >= 1


@pytest.mark.parametrize("name", ["drop:0.4", "typo:0.4"])
def test_tokens_keep_their_places(sets: dict[str, Dataset], name: str) -> None:
    tags = sets["tags"]
    tokens = seen(tags, name)[0]
    np.testing.assert_array_equal(tokens == "", tags.array == "")
    changed = (tokens != tags.array)[tags.array != ""].mean()
    assert 0.15 < changed < 0.5
    assert name != "drop:0.4" or set(tokens[tokens != tags.array]) == {BLANK}


def test_swapping_keeps_the_words(sets: dict[str, Dataset]) -> None:
    text = sets["text"]
    swapped = seen(text, "swap:0.3")[0]
    assert all(sorted(a.split()) == sorted(b.split()) for a, b in zip(swapped, text.array, strict=True))


def test_a_mistyped_word_has_one_mistake(sets: dict[str, Dataset]) -> None:
    text = sets["text"]
    pairs = zip(seen(text, "typo:1")[0], text.array, strict=True)
    words = [(a, b) for typed, whole in pairs for a, b in zip(typed.split(), whole.split(), strict=True)]
    assert all(abs(len(a) - len(b)) <= 1 for a, b in words)
    assert all(a == b for a, b in words if len(b) == 1)
    assert np.mean([a != b for a, b in words if len(b) > 2]) > 0.8


def test_near_words_keep_the_same_company() -> None:
    draw = np.random.default_rng(0)
    animals, verbs = ("cat", "dog", "horse", "cow", "sheep"), ("sees", "hears", "likes", "finds", "loses")
    texts = tuple(f"the {draw.choice(animals)} {draw.choice(verbs)} my {draw.choice(animals)}" for _ in range(400))
    near = nearest_words(texts)
    assert all(set(near[animal]) <= set(animals) for animal in animals)
    assert nearest_words(("too few",)) == {}


def test_synonyms_come_from_the_dictionary_given(sets: dict[str, Dataset]) -> None:
    text = sets["text"]
    replaced, _ = synonyms({"film": ["movie"]}, share=1.0)(text, np.random.default_rng(0))
    assert list(replaced) == [whole.replace("film", "movie") for whole in text.array]


def test_back_translation_asks_any_pair_of_translators_once_per_text(sets: dict[str, Dataset]) -> None:
    asked: list[str] = []

    def there(texts: Any) -> list[str]:
        asked.extend(texts)
        return [text.upper() for text in texts]

    def back(texts: Any) -> list[str]:
        return [text.lower().replace("film", "movie") for text in texts]

    view = back_translation(there, back, share=0.5)
    text = sets["text"]
    epochs = [view(text, rng.stream(0, "view", epoch))[0] for epoch in range(8)]
    assert len(asked) == len(set(asked)) <= len(set(text.array))
    wanted = [back(there([whole]))[0] for whole in text.array]
    for epoch in epochs:
        assert all(read in (whole, other) for read, whole, other in zip(epoch, text.array, wanted, strict=True))
    changeable = [k for k, whole in enumerate(text.array) if "film" in whole]
    assert 0.3 < np.mean([epochs[0][k] == wanted[k] for k in changeable]) < 0.7


def test_texts_kept_as_objects_stay_so(sets: dict[str, Dataset]) -> None:
    text = replace(sets["text"], inputs=sets["text"].array.astype(object))
    assert seen(text, "typo")[0].dtype == object
