"""Are shifted tests graded, seeded, and of the same instances?"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from polyculture import rng
from polyculture.dataset import Dataset, Modality
from polyculture.errors import InputError
from polyculture.preparation.shifts import MAX_INSTANCES, SEVERITIES, SUITES, applicable_shifts, shifted
from polyculture.preparation.shifts.images import CHANGES, COARSE
from polyculture.preparation.shifts.texts import misspelled
from polyculture.training import Problem, load_problem

CLASSES = ("a", "b", "c")
VOCABULARY = ["the", "cat", "and", "a", "dog", "ran", "over", "Green", "fields", "towards", "Paris", "while", "nobody"]


def made(modality: Modality, n: int = 60) -> Dataset:
    """A small test set of that modality, of inputs that have structure."""
    generator = rng.stream(1, "made", modality)
    labels = np.arange(n) % 3
    if modality in ("image", "volume"):
        digits = load_problem("digits").split.test.array[:n]
        inputs = np.kron(digits, np.ones((3, 3))) if modality == "image" else np.repeat(digits[:, None], 6, axis=1)
    elif modality == "table":
        inputs = np.column_stack([generator.normal(5, 2, (n, 4)), generator.random((n, 2)) < 0.5])
    elif modality == "series":
        inputs = np.cumsum(generator.normal(0, 1, (n, 12, 3)), axis=1)
    elif modality == "audio":
        inputs = 0.5 * np.sin(np.arange(2000) * generator.uniform(0.1, 1.5, (n, 1))) * generator.random((n, 1))
    else:
        sentences = [[str(w) for w in generator.choice(VOCABULARY, 12)] for _ in range(n)]
        if modality == "tags":
            tags = np.array([[len(word) % 3 for word in words] for words in sentences])
            return Dataset(np.array(sentences), tags, CLASSES, name="made", modality="tags")
        texts = np.array([" ".join(words) for words in sentences], dtype=object)
        return Dataset(texts, labels, CLASSES, name="made", modality="text")
    return Dataset(inputs.astype(np.float32), labels, CLASSES, name="made", modality=modality)


def distance(one: Dataset, other: Dataset) -> float:
    """How far apart two versions of a test set are."""
    if one.modality in ("text", "tags"):
        pairs = zip(one.array.ravel(), other.array.ravel(), strict=True)
        return float(np.mean([a != b if one.modality == "tags" else changed(a, b) for a, b in pairs]))
    return float(np.abs(one.array.astype(float) - other.array).mean())


def changed(text: str, other: str) -> float:
    from difflib import SequenceMatcher

    return 1 - SequenceMatcher(None, text.split(), other.split(), autojunk=False).ratio()


EVERY = [(modality, kind) for modality, suite in SUITES.items() for kind in suite]


@pytest.mark.parametrize(("modality", "kind"), [pair for pair in EVERY if pair[1] not in ("speed", "narrow")])
def test_a_shift_moves_inputs_further_the_more_severe_it_is(modality: Modality, kind: str) -> None:
    test = made(modality)
    versions = [shifted(test, 0, [kind])[f"{kind}@{severity}"] for severity in SEVERITIES]
    if kind == "prior":
        sizes = [len(version) for version in versions]
        assert len(test) >= sizes[0]
        assert all(np.diff(sizes) <= 0)
        assert sizes[0] > sizes[4]
        return
    moved = [distance(test, version) for version in versions]
    assert moved[0] > 0
    assert all(np.diff(moved) >= 0)
    assert moved[4] > 1.3 * moved[0]


@pytest.mark.parametrize(("modality", "kind"), EVERY)
def test_a_shift_keeps_instances_labels_bounds_and_types(modality: Modality, kind: str) -> None:
    test = made(modality)
    version = shifted(test, 0, [kind])[f"{kind}@5"]
    assert version.name == f"made {kind}@5"
    assert version.modality == modality
    assert version.classes == CLASSES
    if kind not in ("prior", "drop") or modality == "text":
        np.testing.assert_array_equal(version.labels, test.labels)
        assert list(version.instances.index) == list(test.instances.index)
        assert version.array.shape == test.array.shape
    assert version.array.dtype.kind == test.array.dtype.kind
    if modality in ("image", "volume", "audio"):
        assert version.array.dtype == np.float32
        assert version.array.min() >= (-1 if modality == "audio" else 0)
        assert version.array.max() <= 1
    if version.array.dtype.kind == "f":
        assert np.isfinite(version.array).all()


@pytest.mark.parametrize("modality", SUITES)
def test_the_same_seed_gives_the_same_shifts_and_another_seed_others(modality: Modality) -> None:
    test = made(modality)
    once, again, other = (shifted(test, seed) for seed in (0, 0, 1))
    assert list(once) == [f"{kind}@{severity}" for kind in applicable_shifts(test) for severity in SEVERITIES]
    assert len(once) == len(list(once))
    for name in once:
        np.testing.assert_array_equal(once[name].array, again[name].array)
    drawn = "drop@3" if modality in ("text", "tags") else "noise@3"
    assert not np.array_equal(once[drawn].array, other[drawn].array)


def test_looking_whether_there_is_a_shift_makes_none(digits: Problem) -> None:
    shifts = shifted(digits.split.test, 0)
    assert "noise@3" in shifts
    assert "noise@6" not in shifts
    assert digits.split.summary()["shifted"] == sorted(shifts)


def test_images_have_sixteen_kinds_and_coarse_ones_the_first_five(digits: Problem) -> None:
    assert len(SUITES["image"]) == 16
    assert applicable_shifts(made("image")) == list(SUITES["image"])
    assert sorted(applicable_shifts(digits.split.test)) == sorted(COARSE)


def test_classes_are_mixed_differently_only_where_there_are_classes() -> None:
    table = made("table")
    numbers = Dataset(table.array, np.linspace(0, 1, 60), (), modality="table")
    assert set(applicable_shifts(table)) - set(applicable_shifts(numbers)) == {"prior"}


def test_a_large_test_set_is_shifted_in_a_stratified_sample() -> None:
    n = 3 * MAX_INSTANCES
    large = Dataset(rng.stream(0).random((n, 3)).astype(np.float32), np.arange(n) % 3, CLASSES, name="large")
    one, two = (shifted(large, 0)[name] for name in ("noise@1", "drift@5"))
    assert len(one) == MAX_INSTANCES
    assert np.ptp(np.bincount(one.labels)) <= 1
    assert list(one.instances.index) == list(two.instances.index)


def test_an_unknown_kind_of_shift_is_answered_with_a_near_one() -> None:
    with pytest.raises(InputError) as caught:
        shifted(made("table"), 0, ["nois"])
    assert str(caught.value) == "no shift 'nois' of table; did you mean 'noise'?"


@pytest.mark.parametrize("kind", CHANGES)
def test_colour_images_are_shifted_channel_by_channel_alike(kind: str) -> None:
    grey = made("image", 12).array
    colour = np.repeat(grey[..., None], 3, axis=3)
    changed_colour = CHANGES[kind](colour, 3, rng.stream(0, kind))
    assert changed_colour.shape == colour.shape
    if kind not in ("noise", "shot", "impulse"):
        changed_grey = CHANGES[kind](grey, 3, rng.stream(0, kind))
        np.testing.assert_allclose(changed_colour, np.repeat(changed_grey[..., None], 3, axis=3), atol=1e-5)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_single_image_can_be_shifted(kind: str) -> None:
    image = made("image", 1).array
    assert CHANGES[kind](image, 5, rng.stream(0, kind)).shape == image.shape


def test_a_shift_by_a_whole_pixel_moves_the_image_by_one() -> None:
    image = np.zeros((40, 8, 8), np.float32)
    image[:, 4, 4] = 1
    moved = CHANGES["shift"](image, 4, rng.stream(0))
    assert {tuple(np.argwhere(m > 0.99)[0]) for m in moved} == {(3, 4), (5, 4), (4, 3), (4, 5)}


def test_blur_and_blocks_keep_the_mean_of_an_image() -> None:
    images = np.zeros((3, 32, 32), np.float32)
    images[:, 10:22, 10:22] = rng.stream(0).random((3, 12, 12))
    for kind in ("blur", "defocus", "motion", "pixelate"):
        changed_images = CHANGES[kind](images, 2, rng.stream(0))
        np.testing.assert_allclose(changed_images.mean(axis=(1, 2)), images.mean(axis=(1, 2)), rtol=0.02)


def test_a_plain_grey_image_survives_compression() -> None:
    images = np.full((2, 19, 21), 128 / 255, np.float32)
    np.testing.assert_allclose(CHANGES["jpeg"](images, 5, rng.stream(0)), images, atol=0.1)


def test_lost_cells_are_read_as_the_mean_of_their_column() -> None:
    table = made("table")
    lost = shifted(table, 0)["missing@5"].array
    where = lost != table.array
    assert 0.3 < where[:, :4].mean() < 0.5
    means = np.broadcast_to(table.array.mean(axis=0), lost.shape)
    np.testing.assert_allclose(lost[where], means[where], rtol=1e-6)


def test_noise_spares_flags() -> None:
    table = made("table")
    for kind in ("noise", "scaling", "drift"):
        np.testing.assert_array_equal(shifted(table, 0)[f"{kind}@5"].array[:, 4:], table.array[:, 4:])


def test_columns_that_are_mixed_up_keep_their_values() -> None:
    table = made("table")
    mixed = shifted(table, 0)["mix-up@5"].array
    np.testing.assert_array_equal(np.sort(mixed, axis=0), np.sort(table.array, axis=0))
    assert (mixed != table.array).any(axis=0).sum() == 4


def test_the_mix_of_classes_loses_the_most_frequent_one() -> None:
    table = made("table", 61)
    left = np.bincount(shifted(table, 0)["prior@5"].labels)
    assert left[1:].tolist() == [20, 20]
    assert left[0] < 8


def test_missing_steps_repeat_the_last_value() -> None:
    series = made("series")
    windows = shifted(series, 0)["missing@5"].array
    gone = (windows != series.array).any(axis=2)
    rows, steps = np.nonzero(gone)
    np.testing.assert_array_equal(windows[rows, steps], windows[rows, steps - 1])
    assert not gone[:, 0].any()


def test_a_faster_or_slower_recording_has_its_pitch_moved_by_8_percent_a_step() -> None:
    waves = np.tile(np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000), (10, 1)).astype(np.float32)
    recordings = Dataset(waves, np.zeros(10, np.int64), CLASSES, modality="audio")
    for severity in SEVERITIES:
        told = SUITES["audio"]["speed"](recordings, severity, rng.stream(0)).array
        pitches = np.abs(np.fft.rfft(told[:, :4000], axis=1)).argmax(axis=1) * 2
        assert sorted(set(pitches)) == [1000 - 80 * severity, 1000 + 80 * severity]


def test_a_narrower_line_lets_less_pass() -> None:
    waves = 0.1 * rng.stream(0).standard_normal((4, 4000)).astype(np.float32)
    recordings = Dataset(waves, np.zeros(4, np.int64), CLASSES, modality="audio")
    power = [(SUITES["audio"]["narrow"](recordings, s, rng.stream(0)).array ** 2).mean() for s in SEVERITIES]
    assert all(np.diff(power) < 0)


def test_a_narrow_line_lets_the_middle_pass_and_stops_the_rest() -> None:
    time = np.arange(8000) / 8000
    waves = np.stack([np.sin(2 * np.pi * pitch * time) for pitch in (100, 900, 3500)]).astype(np.float32)
    heard = SUITES["audio"]["narrow"](Dataset(waves, np.arange(3), CLASSES, modality="audio"), 5, rng.stream(0)).array
    power = (heard[:, 1000:] ** 2).mean(axis=1) / 0.5
    assert power[1] > 0.9
    assert max(power[0], power[2]) < 0.05


@pytest.mark.parametrize(("kind", "typed"), [(0.0, "hosue"), (0.3, "hose"), (0.6, "houuse"), (0.9, "hoase")])
def test_a_slip_swaps_loses_doubles_or_mistakes_a_letter(kind: float, typed: str) -> None:
    assert misspelled("house", np.array([0.6, kind, 0.0])) == typed


def test_tokens_keep_their_tags_when_others_are_lost() -> None:
    test = made("tags")
    left = shifted(test, 0)["drop@5"]
    there = left.labels >= 0
    assert 0.6 < there.mean() < 0.8
    assert (there.sum(axis=1) >= 1).all()
    assert ((left.array != "") == there).all()
    np.testing.assert_array_equal([len(t) % 3 for t in left.array[there]], left.labels[there])
    assert (np.diff(there.astype(int), axis=1) <= 0).all()


def test_every_text_keeps_a_word() -> None:
    short = np.array(["one", "", "two words"], dtype=object)
    test = Dataset(short, np.arange(3), CLASSES, name="short", modality="text")
    for name, version in ((name, shifted(test, 3)[name]) for name in shifted(test, 3)):
        assert [bool(text) for text in version.array] == [True, False, True], name


def test_the_guide_names_every_kind_of_shift() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "problems.md").read_text(encoding="utf-8")
    told = guide.partition("## Graded shifts")[2]
    assert [kind for suite in SUITES.values() for kind in suite if not re.search(rf"\b{kind}\b", told)] == []
