"""Does a net read what there is, the same way after it was written down, and nothing of what it was not taught?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import SAMPLE_RATE, Dataset
from polyculture.errors import FileError
from polyculture.models import tokenizer
from polyculture.models.encoder import Encoder
from polyculture.models.spectrogram import BANDS, log_mel

FORMS = {
    "table": ("vector", (5,)),
    "image": ("image", (1, 6, 5)),
    "colour": ("image", (3, 6, 5)),
    "volume": ("volume", (1, 4, 6, 5)),
    "series": ("series", (8, 2)),
    "audio": ("image", (1, 11, 40)),
    "text": ("words", (7,)),
    "tags": ("tags", (6, 4)),
    "numbers": ("vector", (5,)),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_modality_has_the_form_that_its_encoded_inputs_have(sets: dict[str, Dataset], name: str) -> None:
    dataset = sets[name]
    encoder = Encoder.of(dataset)
    assert (encoder.form.kind, encoder.form.shape) == FORMS[name]
    assert encoder(dataset.array).shape[1:] == encoder.form.shape


@pytest.mark.parametrize("name", FORMS)
def test_an_encoder_that_was_written_down_reads_the_same(sets: dict[str, Dataset], name: str, tmp_path: Path) -> None:
    dataset = sets[name]
    encoder = Encoder.of(dataset)
    encoder.save(tmp_path)
    again = Encoder.load(tmp_path)
    assert again == encoder
    np.testing.assert_array_equal(again(dataset.array), encoder(dataset.array))


def test_tables_are_standardized_by_the_training_set_and_constant_features_become_0() -> None:
    train = Dataset(np.array([[1.0, 5.0], [3.0, 5.0]], np.float32), np.array([0, 1]), ("a", "b"))
    encoder = Encoder.of(train)
    np.testing.assert_allclose(encoder(train.array), [[-1, 0], [1, 0]])
    np.testing.assert_allclose(encoder(np.array([[5.0, 6.0]], np.float32)), [[3, 1]])


def test_targets_are_standardized_and_known_to_the_encoder() -> None:
    train = Dataset(np.zeros((2, 1), np.float32), np.array([10.0, 14.0]), ())
    assert Encoder.of(train).target == (12.0, 2.0)


def test_words_that_are_used_once_or_never_are_unknown() -> None:
    train = Dataset(np.array(["good, good film", "bad film once"]), np.array([0, 1]), ("a", "b"), modality="text")
    encoder = Encoder.of(train)
    assert encoder.vocabulary == (("film", "good"),)
    np.testing.assert_array_equal(encoder(np.array(["good FILM never", ""])), [[3, 2, 1, 0], [1, 0, 0, 0]])


def test_marks_tell_a_token_by_its_letters_and_its_shape() -> None:
    assert tokenizer.marks("McDonald's-24") == ("mcdonald's-24", "-24", "mcd", "XxXx'x-d")
    assert tokenizer.marks("a") == ("a", "a", "a", "x")


def test_a_tone_is_loudest_in_the_band_of_its_frequency() -> None:
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    sound = log_mel(np.stack([np.sin(2 * np.pi * f * times) for f in (300.0, 1000.0, 3000.0)]))
    loudest = sound.mean(axis=1).argmax(axis=1)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), BANDS + 2) / 2595) - 1)
    for band, frequency in zip(loudest, (300.0, 1000.0, 3000.0), strict=True):
        assert edges[band] < frequency < edges[band + 2]


def test_a_sound_shorter_than_a_window_is_filled_up_with_silence() -> None:
    assert log_mel(np.zeros((2, 10))).shape == (2, 1, BANDS)


def test_a_damaged_encoder_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text(json.dumps({"modality": "table"}))
    with pytest.raises(FileError) as caught:
        Encoder.load(tmp_path)
    assert str(caught.value) == (
        f"cannot read {tmp_path / 'encoder.json'} (KeyError: 'vocabulary'); expected what training wrote there."
    )


def test_what_the_test_set_holds_does_not_change_how_nets_read(sets: dict[str, Dataset]) -> None:
    text = sets["text"]
    encoder = Encoder.of(text.take(np.arange(30)))
    assert encoder == Encoder.of(replace(text, inputs=text.array).take(np.arange(30)))
    assert encoder(np.array(["zebra"]))[0, 0] == 1
