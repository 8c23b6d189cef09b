"""Inputs as users send them become the arrays of the models, and each fault is one sentence."""

from __future__ import annotations

import io
import wave
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from polyculture.deployment.bundle import Column, Manifest, encode, open_bundle, profile, profile_names, read_inputs
from polyculture.deployment.bundle.encoding import read_encoder
from polyculture.errors import FileError, InputError
from polyculture.models.encoder import Encoder
from polyculture.models.features import features
from polyculture.models.spectrogram import log_mel

from .bundles import COLUMNS, make_bundle, make_inputs, make_records


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The manifest of a small bundle of a modality."""
    folder = tmp_path_factory.mktemp("bundles")
    names = ("table", "image", "series", "audio", "text", "tags")
    return {name: open_bundle(make_bundle(folder / name, name)).manifest for name in names}


def refused(manifest: Manifest, inputs: Any, text: str) -> None:
    """These inputs are refused by one line with this text."""
    with pytest.raises(InputError, match=text) as error:
        read_inputs(manifest, inputs)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_records_columns_and_numbers_are_the_same_table(manifests: Any) -> None:
    records = make_records(5)
    rows = read_inputs(manifests["table"], records)
    np.testing.assert_array_equal(rows, make_inputs("table", 5))
    columns = {name: [record[name] for record in reversed(records)][::-1] for name in reversed(COLUMNS)}
    np.testing.assert_array_equal(read_inputs(manifests["table"], columns), rows)
    np.testing.assert_array_equal(read_inputs(manifests["table"], rows.tolist()), rows)
    assert rows.dtype == np.float32


def test_a_dataframe_is_read_by_the_names_of_its_columns(manifests: Any) -> None:
    import pandas as pd
    import polars as pl

    frame = pd.DataFrame(make_records(5))
    rows = read_inputs(manifests["table"], make_records(5))
    for other in (frame[list(reversed(COLUMNS))], pl.from_pandas(frame[list(reversed(COLUMNS))])):
        np.testing.assert_array_equal(read_inputs(manifests["table"], other), rows)
    refused(manifests["table"], frame[["age"]], "no column 'height'")
    refused(manifests["table"], pd.DataFrame(rows), "the column 0; expected columns whose names are texts")
    refused(
        manifests["table"], frame.assign(height=[1.0, None, 2.0, 3.0, 4.0]), "row 1 of the column 'height' is missing"
    )
    gaps = frame.assign(height=pd.array([1, None, 2, 3, 4], dtype="Int64"))
    refused(manifests["table"], gaps, "row 1 of the column 'height' is missing")
    texts = pd.Series(["a film", "the plot"])
    np.testing.assert_array_equal(read_inputs(manifests["text"], texts), texts.to_numpy(object))


def with_cell(cell: Any) -> list[dict[str, Any]]:
    """Two records, one with this cell."""
    return [make_records(2)[0], make_records(2)[1] | {"height": cell}]


WRONG_TABLES = [
    ([{"age": 1.0}], "no column 'height'; expected every column of the model"),
    ([make_records(1)[0] | {"heigth": 1.0}], "the unknown column 'heigth'.*did you mean 'height'"),
    ([make_records(1)[0], {"age": 1.0}], "record 1 has no column 'height'"),
    ([make_records(1)[0], 3], "record 1 is int; expected a mapping"),
    (with_cell("tall"), "'tall' in row 1 of the number column 'height'; expected a number"),
    (with_cell("1.5"), "'1.5' in row 1 of the number column 'height'; expected a number"),
    (with_cell(None), "row 1 of the column 'height' is missing; expected a cell in every row"),
    (with_cell(float("nan")), "row 1 of the column 'height' is missing"),
    (with_cell(float("inf")), "inf in row 1 of the column 'height'; expected a finite number"),
    (with_cell(1e39), "1e.39 in row 1 of the column 'height'; expected a finite number within single precision"),
    (with_cell(10**400), "in row 1 of the column 'height'; expected a finite number"),
    (with_cell([1.0]), "in row 1 of the number column 'height'; expected a number"),
    (with_cell({"a": 1}), "in row 1 of the number column 'height'; expected a number"),
    ({name: [1.0, 2.0] for name in COLUMNS} | {"height": [1.0]}, "1 cells in the column 'height' and 2 in others"),
    ({name: [1.0] for name in COLUMNS} | {"height": "x"}, "one cell in the column 'height'; expected a list"),
    ({name: [1.0] for name in COLUMNS} | {"height": 3}, "one cell in the column 'height'; expected a list"),
    ([[1.0, 2.0]], r"inputs of the shape \(1, 2\); expected numbers of the shape \(n, 4\)"),
    ([[1.0, 2.0, 3.0, "x"]], "inputs that are no numbers"),
    ([[1.0], [1.0, 2.0]], "of different lengths"),
    ([[1.0, 2.0, 3.0, float("nan")]], "row 0 has a number that is missing or infinite"),
    ([[1.0, 2.0, 3.0, float("inf")]], "row 0 has a number that is missing or infinite"),
    (3.0, r"inputs of the shape \(\)"),
    (None, "inputs that are no numbers"),
    ("text", "inputs that are no numbers"),
    ([b"PNG"], "inputs that are no numbers"),
]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize(("inputs", "text"), WRONG_TABLES)
def test_a_wrong_table_is_refused_in_one_line(manifests: Any, inputs: Any, text: str) -> None:
    refused(manifests["table"], inputs, text)


def columns_with_gaps(manifest: Manifest) -> Manifest:
    """Two numbers, of which one may be missing, and two categories likewise, encoded from a document."""
    columns = (
        Column("age"),
        Column("weight", missing=True),
        Column("colour", "category", ("red", "blue")),
        Column("ward", "category", ("a", "b"), True),
    )
    view = replace(manifest.views[0], shape=(7,), file="encoders/numbers.json")
    return replace(manifest, columns=columns, views=(view,), input_shape=(4,))


DOCUMENT = {
    "columns": [
        {"median": 5.0, "flag": False},
        {"median": 70.0, "flag": True},
        {"levels": ["red", "blue"]},
        {"levels": ["a", "(missing)", "b"]},
    ]
}


def test_gaps_and_categories_become_numbers_as_in_training(manifests: Any) -> None:
    import pandas as pd

    from polyculture.deployment.export.sources.tables import raw_columns, raw_rows, table_document
    from polyculture.preparation.problems.column_encoding import ColumnEncoder

    manifest = columns_with_gaps(manifests["table"])
    records = [
        {"age": 1, "weight": None, "colour": "blue", "ward": "b"},
        {"age": 2, "weight": 60.5, "colour": "green", "ward": None},
        {"age": True, "weight": 1, "colour": " red ", "ward": "a"},
    ]
    raw = read_inputs(manifest, records)
    np.testing.assert_array_equal(raw[:, 2], [1, -1, 0])
    encoders = {"numbers": read_encoder(DOCUMENT)}
    expected = [[1, 70, 1, 0, 1, 0, 0, 1], [2, 60.5, 0, 0, 0, 0, 1, 0], [1, 1, 0, 1, 0, 1, 0, 0]]
    np.testing.assert_array_equal(encode(manifest, encoders, raw)["numbers"], expected)

    train = pd.DataFrame(
        {
            "age": [3, 7, 5, 3],
            "weight": [70, None, 70, 70],
            "colour": ["red", "red", "blue", "red"],
            "ward": ["a", None, "b", "a"],
        }
    )
    encoder = ColumnEncoder.of(train)
    numbers = encoder(pd.DataFrame(records).assign(age=[1, 2, 1]))
    assert raw_columns(encoder)[1] == Column("weight", missing=True)
    own = replace(manifest, columns=raw_columns(encoder))
    rows = read_inputs(own, records)
    np.testing.assert_array_equal(raw_rows(encoder, numbers), rows)
    document = {"numbers": read_encoder(table_document(encoder))}
    np.testing.assert_array_equal(encode(own, document, rows)["numbers"], numbers)


def test_an_empty_category_is_refused_where_training_had_none(manifests: Any) -> None:
    record = {"age": 1, "weight": 1, "colour": None, "ward": "a"}
    refused(columns_with_gaps(manifests["table"]), [record], "row 0 of the column 'colour' is missing")


@pytest.mark.parametrize("document", [{}, {"columns": 3}, {"columns": [{}]}, {"columns": [{"median": "x", "flag": 1}]}])
def test_a_damaged_document_of_columns_is_refused(document: Any) -> None:
    with pytest.raises(FileError, match="a vocabulary cannot be read"):
        read_encoder(document)


def png(array: np.ndarray, kind: str = "PNG") -> bytes:
    """An image file."""
    image = pytest.importorskip("PIL.Image").fromarray(array)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def test_images_are_read_from_files(manifests: Any) -> None:
    pixels = np.arange(30, dtype=np.uint8).reshape(6, 5) * 8
    raw = read_inputs(manifests["image"], [png(pixels), png(pixels[::-1])])
    np.testing.assert_allclose(raw[0], pixels / 255, atol=1e-7)
    np.testing.assert_allclose(raw[1], pixels[::-1] / 255, atol=1e-7)
    deep = read_inputs(manifests["image"], [png(pixels.astype(np.uint16) * 257)])
    np.testing.assert_allclose(deep, raw[:1], atol=1e-7)
    colour = replace(manifests["image"], input_shape=(6, 5, 3))
    several = np.stack([pixels, pixels[::-1], pixels], axis=2)
    np.testing.assert_allclose(read_inputs(colour, [png(several)])[0], several / 255, atol=1e-7)
    assert read_inputs(colour, [png(pixels, "JPEG")]).shape == (1, 6, 5, 3)


def test_wrong_images_are_refused_in_one_line(manifests: Any) -> None:
    grey, pixels = manifests["image"], np.zeros((6, 5), np.uint8)
    refused(grey, [png(np.zeros((5, 6), np.uint8))], "image 0 has 6 × 5 pixels; expected grey of 5 × 6 pixels")
    refused(grey, [png(pixels), png(np.zeros((6, 5, 3), np.uint8))], "image 1 has the colour mode 'RGB'; expected grey")
    refused(grey, [png(pixels)[:40]], "image 0 cannot be read; expected a PNG or JPEG file, grey of 5 × 6 pixels")
    refused(grey, [png(pixels, "GIF")], "image 0 cannot be read")
    refused(grey, [b""], "image 0 cannot be read")
    refused(grey, [b"\x00" * (33 * 2**20)], "image 0 has 34,603,008 bytes; expected at most 33,554,432")
    refused(
        replace(grey, input_range=(0.0, 1.0)), np.full((2, 6, 5), 200), r"numbers from 200 to 200; expected image in"
    )
    refused(grey, [png(pixels), "text"], "inputs that are no numbers")


def test_a_picture_that_unpacks_to_very_many_pixels_is_refused_before_it_is_unpacked(manifests: Any) -> None:
    bomb = png(np.zeros((20_000, 5_000), np.uint8))
    assert len(bomb) < 200_000
    refused(manifests["image"], [bomb], "image 0 (has 5000 × 20000 pixels|cannot be read)")


def wav(samples: np.ndarray, rate: int = 8000, channels: int = 1) -> bytes:
    """A recording as a file; bytes have 8 bits."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setparams((channels, samples.dtype.itemsize, rate, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    return buffer.getvalue()


def test_recordings_are_read_from_files_as_long_as_the_models_read(manifests: Any) -> None:
    manifest = manifests["audio"]
    samples = (np.sin(np.arange(1600) / 5) * 20_000).astype("<i2")
    raw = read_inputs(manifest, [wav(samples), wav(np.full(1600, 192, np.uint8))])
    np.testing.assert_allclose(raw[0], samples / 32768, atol=1e-7)
    np.testing.assert_allclose(raw[1], 0.5)
    longer = read_inputs(manifest, [wav(np.tile(samples, 2)), wav(samples[:900])])
    np.testing.assert_array_equal(longer[0], raw[0])
    np.testing.assert_array_equal(longer[1], np.where(np.arange(1600) < 900, raw[0], 0))
    np.testing.assert_array_equal(encode(manifest, {}, raw)["log_mel"], log_mel(raw))


def test_wrong_recordings_are_refused_in_one_line(manifests: Any) -> None:
    manifest, samples = manifests["audio"], np.zeros(1600, "<i2")
    refused(manifest, [wav(samples, 16_000)], "recording 0 has 1 channel at 16,000 samples per second; expected a WAV")
    refused(manifest, [wav(samples, channels=2)], "recording 0 has 2 channels at 8,000 samples per second")
    refused(manifest, [wav(samples)[:-100]], "recording 0 ends early")
    refused(manifest, [b"RIFF"], "recording 0 cannot be read")
    refused(manifest, [wav(np.zeros(1600, "<i4"))], "recording 0 has 32 bits")
    refused(manifest, np.zeros((2, 100)), r"inputs of the shape \(2, 100\); expected numbers of the shape \(n, 1600\)")


def test_texts_are_coded_as_in_training(manifests: Any) -> None:
    texts = ["The film was great!", "", "a a unseen a"]
    expected = read_inputs(manifests["text"], texts)
    for same in ({"text": texts}, [{"text": t} for t in texts], tuple(texts), np.array(texts, object)):
        np.testing.assert_array_equal(read_inputs(manifests["text"], same), expected)
    train = np.array(["the film was great great", "the plot was a film a", "unseen"], object)
    encoder = Encoder("text", (), vocabulary=(("the", "film", "a", "great"),), steps=5)
    document = {"vocabulary": [list(encoder.vocabulary[0])], "steps": 5}
    view = manifests["text"].views[0]
    manifest = replace(manifests["text"], views=(view, replace(view, name="counts", kind="counts", dtype="float32")))
    arrays = encode(manifest, dict.fromkeys(("codes", "counts"), read_encoder(document)), train)
    np.testing.assert_array_equal(arrays["codes"], encoder(train))
    np.testing.assert_array_equal(arrays["counts"], features(encoder, train).toarray())


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ("one text", "one text that is no list"),
        ([3], "3 in place of text 0; expected a string"),
        (["a", None], "None in place of text 1"),
        ([["a"]], "in place of text 0"),
        ({"txt": ["a"]}, "the field 'txt'; expected one field, 'text'"),
        ([{"text": "a", "b": 1}], "the field 'b'; expected one field, 'text'"),
        ([{"text": "a"}, {}], "record 1 has no column 'text'"),
        (5, "5 in place of texts"),
        ({"text": "abc"}, "one cell in the field 'text'"),
    ],
)
def test_wrong_texts_are_refused_in_one_line(manifests: Any, inputs: Any, text: str) -> None:
    refused(manifests["text"], inputs, text)


def test_tokens_are_coded_as_in_training(manifests: Any) -> None:
    rows = [["the", "Film"], ["A"], ["was", "very", "Great"]]
    raw = read_inputs(manifests["tags"], rows)
    np.testing.assert_array_equal(raw, [["the", "Film", ""], ["A", "", ""], ["was", "very", "Great"]])
    np.testing.assert_array_equal(read_inputs(manifests["tags"], [" ".join(row) for row in rows]), raw)
    np.testing.assert_array_equal(read_inputs(manifests["tags"], raw), raw)
    fixed = replace(manifests["tags"], input_shape=(5,))
    assert read_inputs(fixed, rows).shape == (3, 5)
    refused(fixed, [["a"] * 6], "a sequence of 6 tokens; expected at most 5; split it")
    encoder = Encoder("tags", (3,), vocabulary=(("the", "film"), ("ilm",), ("the",), ("x", "Xx")), steps=3)
    document = {"vocabulary": [list(words) for words in encoder.vocabulary], "steps": 3}
    view = manifests["tags"].views[0]
    counts = replace(view, name="counts", kind="mark_counts", dtype="float32")
    manifest = replace(manifests["tags"], views=(view, counts))
    arrays = encode(manifest, dict.fromkeys(("mark_codes", "counts"), read_encoder(document)), raw)
    np.testing.assert_array_equal(arrays["mark_codes"], encoder(raw))
    np.testing.assert_array_equal(arrays["counts"][raw != ""], features(encoder, raw).toarray())


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ([[]], "sequence 0 has no tokens"),
        ([["a", "", "b"]], "sequence 0 has an empty token"),
        ([["a", 3]], "in place of sequence 0; expected a list of tokens"),
        ([3], "3 in place of sequence 0"),
        (3, "3 in place of sequences"),
        ([["a"] * 5000], "a sequence of 5,000 tokens; expected at most 4,096"),
    ],
)
def test_wrong_sequences_are_refused_in_one_line(manifests: Any, inputs: Any, text: str) -> None:
    refused(manifests["tags"], inputs, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers() | st.binary(),
        lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=4), x, max_size=3),
        max_leaves=8,
    )
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_whatever_is_sent_is_read_or_refused_in_one_line(manifests: Any, inputs: Any) -> None:
    for manifest in manifests.values():
        try:
            outcome: Any = read_inputs(manifest, inputs)
        except InputError as error:
            outcome = str(error)
        assert isinstance(outcome, np.ndarray) or "\n" not in outcome


@pytest.mark.parametrize("modality", ["table", "image", "series", "audio", "text", "tags"])
def test_a_profile_has_a_name_for_each_number(manifests: Any, modality: Any) -> None:
    manifest = manifests[modality]
    rows = profile(manifest, {}, make_inputs(modality, 6))
    assert rows.shape == (6, len(profile_names(manifest)))
    assert np.isfinite(rows).all()


def test_profiles_measure_what_they_are_called(manifests: Any) -> None:
    image = np.zeros((1, 6, 5), np.float32)
    image[0, :, ::2] = 1
    np.testing.assert_allclose(profile(manifests["image"], {}, image), [[0.6, np.sqrt(0.24), 1, 0, 1]], atol=1e-6)
    tone = np.where(np.arange(1600) % 2, 0.5, -0.5)[None].astype(np.float32)
    loudness, peak, crossings, roughness = profile(manifests["audio"], {}, tone)[0]
    assert (loudness, peak, crossings, roughness) == pytest.approx((20 * np.log10(0.5), 0.5, 1, 2))
    texts = np.array(["the film unseen"], object)
    words = {"codes": read_encoder({"vocabulary": [["the", "film"]], "steps": 4})}
    np.testing.assert_allclose(profile(manifests["text"], words, texts), [[15, 3, 1 / 3, 13 / 3]])
    tokens = np.array([["The", "42", ""]])
    np.testing.assert_allclose(profile(manifests["tags"], {}, tokens), [[2, 0, 0.5, 0.5]])
