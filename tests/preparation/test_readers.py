"""Are files read as documented?"""

from __future__ import annotations

import gzip
import io
import struct
import wave as wave_module
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

from polyculture.errors import FileError, InputError, MissingExtraError
from polyculture.preparation.problems.column_encoding import ColumnEncoder
from polyculture.preparation.problems.data_options import name_of, part_of, stem_of
from polyculture.preparation.problems.preprocessing import resized_images
from polyculture.preparation.problems.readers.arrays import read_idx
from polyculture.preparation.problems.readers.audio import wave_of
from polyculture.preparation.problems.readers.images import read_images
from polyculture.training import DataOptions, Problem, load_problem

GENERATOR = np.random.Generator(np.random.PCG64(0))


def load(*names: str, **source: object) -> Problem:
    return load_problem(list(names), 0, DataOptions(**source))


def refused(*names: str, **source: object) -> str:
    with pytest.raises((InputError, FileError)) as caught:
        load(*names, **source)
    return str(caught.value)


def write(name: str, lines: list[str]) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return name


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "part", "stem"),
    [
        ("email.train.tsv.gz", "train", "email"),
        ("stsa.binary.dev.gz", "selection", "stsa.binary"),
        ("TREC.test.all.gz", "test", "TREC.all"),
        ("validation.csv", "selection", "validation"),
        ("t10k-images-idx3-ubyte.gz", "test", "images-idx3-ubyte"),
        ("heart_va.csv", "", "heart_va"),
        ("latest_trains.csv", "", "latest_trains"),
    ],
)
def test_names_of_files_tell_parts_and_stems(name: str, part: str, stem: str) -> None:
    assert (part_of(Path(name)), stem_of(Path(name))) == (part, stem)


def test_many_files_are_called_by_their_first() -> None:
    assert name_of([Path("a.csv"), Path("b.csv")]) == "a and b"
    assert name_of([Path(f"{c}.csv") for c in "abcd"]) == "a and 3 others"


# tables


def table(n: int = 80) -> list[str]:
    """Rows with an id, a number with gaps, a category, a group and a label."""
    rows = [
        f"r{k},{'' if k % 9 == 0 else k % 13},{'red' if k % 3 else 'blue'},s{k % 4},{'yes' if k % 2 else 'no'}"
        for k in range(n)
    ]
    return ["id,size,colour,site,label", *rows]


def test_a_table_is_read_with_its_header_ids_gaps_and_categories() -> None:
    problem = load(write("t.csv", table()), group="site")
    train = problem.split.train
    assert (problem.name, problem.modality, train.classes) == ("t", "table", ("no", "yes"))
    assert train.array.shape[1] == 4  # size, whether it is unknown, red, blue
    assert set(np.unique(train.array[:, 1:])) == {0.0, 1.0}
    assert problem.groups == ("site",)
    k = int(str(train.instances.index[3])[1:])
    assert train.instances["site"].iloc[3] == f"s{k % 4}"
    assert train.classes[train.labels[3]] == ("yes" if k % 2 else "no")
    assert problem.note == "the label is column 'label'"


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv", "t.parquet"])
def test_other_formats_of_tables_say_the_same(name: str) -> None:
    same = load(write("t.csv", table()), group="site")
    if name.endswith(".parquet"):
        pd.read_csv("t.csv").to_parquet(name)
    else:
        write(name, [row.replace(",", "\t") if ".tsv" in name else row for row in table()])
    other = load(name, group="site")
    np.testing.assert_array_equal(other.split.test.array, same.split.test.array)
    np.testing.assert_array_equal(other.split.test.labels, same.split.test.labels)


def test_a_table_without_a_header_has_numbered_columns_and_the_last_is_the_label() -> None:
    name = write("german.csv", [f"A{k % 3},{k},{k % 2 + 1}" for k in range(40)])
    problem = load(name)
    assert problem.note == "the label is column '3'"
    assert problem.split.train.classes == ("1", "2")
    other = load(name, label="1", ignore=("3",))
    assert other.split.train.classes == ("A0", "A1", "A2")
    assert other.split.train.array.shape[1] == 1


def test_several_files_are_groups_that_can_be_held_out() -> None:
    names = [write(f"site_{c}.csv", [f"{k},{k % 5},{k % 3}" for k in range(30)]) for c in "abc"]
    problem = load(*names, positive=">0", hold_out=("site_b",))
    assert problem.name == "site_a and 2 others"
    assert set(problem.split.train.instances["file"]) == {"site_a", "site_c"}
    assert set(problem.split.shifted["file=site_b"].instances["file"]) == {"site_b"}
    assert len(problem.split.shifted["file=site_b"]) == 30


def test_parts_of_a_table_come_from_the_names_of_its_files() -> None:
    write("x.train.csv", table(60))
    write("x.test.csv", table(24))
    problem = load("x.train.csv", "x.test.csv")
    assert len(problem.split.test) == 24
    assert len(problem.split.train) + len(problem.split.selection) == 60


def test_what_fills_gaps_and_which_categories_there_are_is_learned_from_training_alone() -> None:
    train = pd.DataFrame({"size": ["1", None, "3", "5"], "colour": ["red", "blue", "red", "blue"], "same": ["x"] * 4})
    encoder = ColumnEncoder.of(train)
    assert encoder.names == ("size", "size unknown", "colour=blue", "colour=red")
    other = pd.DataFrame({"size": ["large", "7"], "colour": ["green", None], "same": ["y", "z"]})
    assert encoder(other).tolist() == [[3, 1, 0, 0], [7, 0, 0, 0]]


@pytest.mark.parametrize("number", ["inf", "-inf", "1e300", "-Infinity"])
def test_an_infinite_number_is_no_gap(number: str) -> None:
    frame = pd.DataFrame({"size": ["1", None, "3", number], "age": ["1", "2", "3", "4"]})
    message = (
        f"column 'size' holds {number} for instance 3; expected finite numbers within single precision, or empty "
        "cells; leave the cell empty if the number is not known, or the column out (--ignore)."
    )
    for act in (lambda: ColumnEncoder.of(frame), lambda: ColumnEncoder.of(frame[:3])(frame)):
        with pytest.raises(InputError) as caught:
            act()
        assert str(caught.value) == message


def test_only_the_most_frequent_categories_get_columns_and_texts_seen_once_none() -> None:
    train = pd.DataFrame({"code": [f"c{min(k, 99 - k)}" for k in range(100)], "note": [f"n{k}" for k in range(100)]})
    assert len(ColumnEncoder.of(train).names) == 30


def test_rows_without_a_label_are_left_out() -> None:
    rows = table()
    rows[5] = rows[5].rsplit(",", 1)[0] + ","
    problem = load(write("t.csv", rows))
    assert problem.note == "the label is column 'label' (1 rows without are left out)"
    assert sum(len(part) for part in (problem.split.train, problem.split.selection, problem.split.test)) == 79


def test_a_table_can_be_cut_in_time_by_numbers_or_dates() -> None:
    rows = [f"2024-{1 + k // 28:02d}-{1 + k % 28:02d},{k},{k % 2}" for k in range(100)]
    problem = load(write("t.csv", ["date,size,label", *rows[::-1]]), time="date")
    dates = [part.instances["date"] for part in (problem.split.train, problem.split.selection, problem.split.test)]
    assert dates[0].max() < dates[1].min()
    assert dates[1].max() < dates[2].min()
    problem = load(write("n.csv", ["step,size,label", *(f"{k},{k % 3},{k % 2}" for k in range(100))]), time="step")
    assert problem.split.train.instances["step"].max() == 44


def test_a_column_of_numbers_to_be_predicted_is_a_regression() -> None:
    problem = load(write("t.csv", ["a,b,y", *(f"{k % 7},{k % 3},{k * 0.5}" for k in range(60))]))
    assert problem.task == "regression"
    assert problem.split.train.labels.dtype == np.float64


WRONG_TABLES = [
    (["a,b,label"], {}, "t.csv has a header but no rows; expected one row per instance."),
    ([], {}, "t.csv is empty; expected a table with one row per instance."),
    (table(), {"label": "lable"}, "t.csv has no column 'lable'; did you mean 'label'?"),
    (table(), {"ignore": ("sise",)}, "t.csv has no column 'sise'; did you mean 'size' or 'site'?"),
    (table(), {"group": "sites"}, "t has no column 'sites'; there are none."),
    (
        ["a,label", *(f"x,{k % 2}" for k in range(40))],
        {},
        "no column to learn from; expected one or more that vary.",
    ),
    (
        ["a,b,label", "1,2,3", "1,2,3,4"],
        {},
        "cannot read t.csv: Error tokenizing data. C error: Expected 3 fields in line 3, saw 4; "
        "expected a table in CSV, TSV or Parquet.",
    ),
]


@pytest.mark.parametrize(("lines", "source", "message"), WRONG_TABLES)
def test_a_table_that_cannot_be_used_is_one_line(lines: list[str], source: dict[str, object], message: str) -> None:
    Path("t.csv").write_text("".join(line + "\n" for line in lines))
    assert refused("t.csv", **source) == message


def test_files_that_are_damaged_or_absent_are_one_line() -> None:
    Path("cut.csv.gz").write_bytes(gzip.compress(b"a,b\n" * 999)[:20])
    assert refused("cut.csv.gz") == (
        "cannot read cut.csv.gz: Compressed file ended before the end-of-stream marker was reached; "
        "expected a file of text, plain or gzipped."
    )
    Path("t.parquet").write_bytes(b"PAR1")
    assert refused("t.parquet").startswith("cannot read t.parquet: ")
    Path("t.csv").write_bytes(b"a\0b\n")
    assert refused("t.csv") == "t.csv holds binary data; expected a file of text, plain or gzipped."
    assert refused("none.csv") == (
        "no such file or folder: none.csv; expected files or a folder to learn from; check the path."
    )
    Path("empty").mkdir()
    assert refused("empty") == "empty holds nothing to learn from; expected pictures, recordings, tables or texts."


def test_tables_that_do_not_belong_together_are_one_line() -> None:
    names = [write("a.csv", ["x,y", "1,2"]), write("b.csv", ["x,z", "1,2"])]
    assert refused(*names).startswith("b.csv has other columns than a.csv: ")
    whole = write("t.csv", table())
    fewer = write("u.csv", [row.split(",", 2)[2] for row in table()])
    assert refused(whole, test_on=(fewer,)) == (
        "no column 'size'; expected every column that is learned from; did you mean 'site'?"
    )
    np.savez("u.npz", x=np.ones((20, 4)), y=np.arange(20) % 2)
    assert refused(whole, test_on=("u.npz",), positive="=yes") == (
        "features without names; expected columns by name, as those learned from."
    )


# images


def save_images(name: str, layout: tuple[str, ...], n: int = 60, side: int = 6) -> np.ndarray:
    images = GENERATOR.integers(0, 256, (n + 20, side, side), dtype=np.uint8)
    labels = np.arange(n + 20) % 2
    np.savez(name, **dict(zip(layout, (images[:n], labels[:n], images[n:], labels[n:, None]), strict=True)))
    return images


@pytest.mark.parametrize(
    "layout",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")],
)
def test_an_archive_of_images_is_read_in_both_layouts(layout: tuple[str, ...]) -> None:
    images = save_images("i.npz", layout) if layout[0] == "x_train" else None
    if images is None:
        images = GENERATOR.integers(0, 256, (80, 6, 6), dtype=np.uint8)
        labels = (np.arange(80) % 2)[:, None]
        np.savez("i.npz", **dict(zip(layout, (images[:60], labels[:60], images[60:], labels[60:]), strict=True)))
    problem = load("i.npz")
    assert (problem.name, problem.modality) == ("i", "image")
    np.testing.assert_allclose(problem.split.test.array, images[60:] / 255, rtol=1e-6)
    assert problem.split.test.labels.tolist() == [k % 2 for k in range(60, 80)]
    assert (len(problem.split.train), len(problem.split.selection)) == (52, 8)


def test_other_images_are_brought_to_the_size_of_those_learned_from() -> None:
    np.savez("big.npz", x=GENERATOR.integers(0, 256, (60, 8, 8), dtype=np.uint8), y=np.arange(60) % 2)
    np.savez("flat.npz", x=GENERATOR.random((30, 16)), y=np.arange(30) % 2)
    problem = load("big.npz", test_on=("flat.npz",))
    flat = problem.split.shifted["flat"]
    assert flat.array.shape == (30, 8, 8)
    assert (flat.array.min() >= 0, flat.array.max() <= 1) == (True, True)


def test_pixels_without_a_shape_are_a_table_unless_they_are_called_images() -> None:
    np.savez("flat.npz", x=GENERATOR.random((60, 16)), y=np.arange(60) % 2)
    assert load("flat.npz").modality == "table"
    assert load("flat.npz", kind="image").split.train.array.shape[1:] == (4, 4)


@pytest.mark.parametrize(
    ("shape", "modality", "read_shape"),
    [((60, 5, 5, 3), "image", (5, 5, 3)), ((60, 5, 5, 1), "image", (5, 5)), ((60, 5, 6, 7), "volume", (5, 6, 7))],
)
def test_axes_tell_colours_from_depth(shape: tuple[int, ...], modality: str, read_shape: tuple[int, ...]) -> None:
    np.savez("i.npz", x=GENERATOR.integers(0, 256, shape, dtype=np.uint8), y=np.arange(60) % 2)
    problem = load("i.npz")
    assert problem.modality == modality
    assert problem.split.train.array.shape[1:] == read_shape
    assert problem.split.train.array.max() <= 1
    assert len(problem.split.shifted["noise@1"]) == len(problem.split.test)


def test_images_keep_their_mean_when_they_are_resized() -> None:
    images = np.zeros((1, 12, 12), np.float32)
    images[:, 3:9, 3:9] = 1
    for size in ((6, 6), (24, 24), (7, 9)):
        resized = resized_images(images, size, 1.0)
        assert resized.shape[1:] == size
        assert abs(resized.mean() - images.mean()) < 0.01


def test_grey_and_colour_are_brought_together() -> None:
    colour = np.ones((2, 4, 4, 3)) * [0.0, 0.5, 1.0]
    np.testing.assert_allclose(resized_images(colour, (4, 4), 1.0), 0.5)
    assert (
        resized_images(np.full((2, 4, 4), 65535, np.uint16), (4, 4, 3), 65535.0).tolist()
        == np.ones((2, 4, 4, 3)).tolist()
    )
    with pytest.raises(InputError) as caught:
        resized_images(np.ones((2, 4, 4, 2)), (4, 4, 3), 1.0)
    assert str(caught.value) == "images of the size 4 × 4 × 2; expected 4 × 4 × 3, or others with as many channels."


def test_archives_that_cannot_be_used_are_one_line() -> None:
    Path("bad.npz").write_bytes(b"PK no")
    assert refused("bad.npz").startswith("cannot read bad.npz: ")
    np.savez("p.npz", x=np.array([{}], dtype=object), y=np.zeros(1))
    assert refused("p.npz") == (
        "cannot read p.npz: Object arrays cannot be loaded when allow_pickle=False; "
        "expected an archive that numpy.savez wrote."
    )
    np.savez("o.npz", images=np.ones(3))
    assert refused("o.npz") == (
        "o.npz holds the arrays images; "
        "expected x_train, y_train, x_test, y_test; train_images, train_labels, …; or x, y."
    )
    np.savez("n.npz", x=np.ones((3, 2)), y=np.ones(4))
    assert refused("n.npz") == "n has 3 inputs and labels of the shape (4, 1); expected one label for each input."
    np.savez("a.npz", x=np.ones(3), y=np.ones(3))
    assert refused("a.npz") == "inputs of the shape (3,); expected features, images or volumes: 2, 3 or 4 axes."
    np.savez("r.npz", x=np.ones((9, 5)), y=np.arange(9) % 2)
    assert refused("r.npz", kind="image") == "rows of 5 pixels; expected as many as a square image has."
    assert refused("r.npz", "r.npz") == "2 archives; expected one; name others by test_on (--test-on)."


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def test_idx_files_are_found_in_their_folder_or_by_name() -> None:
    folder = Path("scans")
    folder.mkdir()
    images = {"train": GENERATOR.integers(0, 256, (60, 6, 6)), "t10k": GENERATOR.integers(0, 256, (20, 6, 6))}
    for part, array in images.items():
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(array))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(len(array)) % 3)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(len(array)) % 3))
    problem = load("scans")
    np.testing.assert_allclose(problem.split.test.array, images["t10k"] / 255, rtol=1e-6)
    assert (problem.name, problem.split.train.classes) == ("scans", ("0", "1", "2"))
    np.testing.assert_array_equal(read_idx(folder / "t10k-labels-idx1-ubyte.gz"), np.arange(20) % 3)
    alone = folder / "train-images-idx3-ubyte"
    assert refused(str(alone)) == f"{alone} has no labels; expected train-labels-idx1-ubyte beside it."
    labels = str(folder / "train-labels-idx1-ubyte")
    assert refused(labels) == "scans has no images; expected files such as train-images-idx3-ubyte.gz."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unpack requires a buffer of 4 bytes"),
        (b"\x00\x01\x08\x01\x00\x00\x00\x00", "not the beginning of an IDX file"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x09ab", "cannot reshape array of size 2 into shape (9,)"),
    ],
)
def test_a_damaged_idx_file_is_one_line(content: bytes, reason: str) -> None:
    Path("x-idx1-ubyte").write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_idx(Path("x-idx1-ubyte"))
    assert str(caught.value) == (
        f"cannot read x-idx1-ubyte: {reason}; expected an IDX file, such as train-images-idx3-ubyte.gz."
    )


def test_a_folder_of_pictures_has_a_subfolder_per_class() -> None:
    image = pytest.importorskip("PIL.Image")
    for k in range(40):
        path = Path("pets") / ("cat" if k % 2 else "dog") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (10, 8) if k < 30 else (20, 16)
        image.fromarray(np.full(size[::-1], k * 6, np.uint8)).save(path)
    problem = load("pets")
    test = problem.split.test
    assert (problem.name, test.array.shape[1:], test.classes) == ("pets", (8, 10), ("cat", "dog"))
    name = str(test.instances.index[0])
    k = int(Path(name).stem)
    assert test.labels[0] == (0 if k % 2 else 1)
    np.testing.assert_allclose(test.array[0], k * 6 / 255, atol=0.01)
    assert problem.note == "40 pictures of 8 × 10 pixels"
    Path("pets/cat/1.png").write_bytes(b"no picture")
    assert refused("pets").startswith("cannot read the picture pets/cat/1.png: ")
    image.fromarray(np.zeros((4, 4), np.uint8)).save("pets/x.png")
    assert refused("pets") == "pictures in pets itself, such as 1.png; expected a subfolder for each class."
    assert refused("pets/x.png") == "the single file pets/x.png; expected the folder that it lies in."


def test_pictures_in_colour_lie_in_folders_for_train_and_test() -> None:
    image = pytest.importorskip("PIL.Image")
    for k in range(48):
        path = Path("pets") / ("train" if k < 32 else "test") / ("cat" if k % 2 else "dog") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(GENERATOR.integers(0, 256, (100, 50, 3), dtype=np.uint8)).save(path)
    split = load("pets").split
    assert len(split.test) == 16
    assert split.test.array.shape[1:] == (64, 32, 3)


DEEP = [
    ("png", np.uint16, 65535, 58.4),
    ("tif", np.uint16, 65535, 58.4),
    ("tif", ">u2", 65535, 58.4),
    ("tif", np.int32, 65535, 58.4),
    ("pgm", np.uint16, 65535, 58.4),
    ("png", np.uint16, 4095, 58.4),
    ("tif", np.float32, 1, 58.4),
    ("tif", np.float32, 255, 58.4),
]


@pytest.mark.parametrize(("ending", "kind", "white", "mean"), DEEP)
def test_pictures_of_more_than_8_bits_keep_their_contrast(ending: str, kind: str, white: float, mean: float) -> None:
    image = pytest.importorskip("PIL.Image")
    for k in range(12):
        path = Path("scans") / ("dark" if k % 2 else "light") / f"{k}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        share = np.linspace(0, 1, 144).reshape(12, 12) * (0.458 if k % 2 else 1)
        image.fromarray((share * white).astype(kind)).save(path)
    raw = read_images([Path("scans").resolve()], DataOptions())
    means = {name: raw.inputs[raw.labels == name].mean() for name in ("dark", "light")}
    assert raw.inputs.shape[1:] == (12, 12)
    assert (raw.inputs.min(), raw.inputs.max()) == (0, 255)
    assert means["dark"] == pytest.approx(mean, abs=1)
    assert means["light"] == pytest.approx(127.5, abs=1)


def test_deep_and_usual_pictures_in_one_folder_have_one_scale() -> None:
    image = pytest.importorskip("PIL.Image")
    for k in range(40):
        path = Path("mix") / ("a" if k % 4 < 2 else "b") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.linspace(0, 255, 80).reshape(10, 8).round()
        deep = image.fromarray((pixels * 257).astype(np.uint16))
        usual = image.fromarray(np.repeat(pixels[..., None], 3, axis=2).astype(np.uint8)).resize((16, 20))
        (deep if k % 2 else usual).save(path)
    array = load("mix", shifts=()).split.train.array
    assert array.shape[1:] == (20, 16)
    assert np.ptp(array.mean(axis=(1, 2))) < 0.02
    for number in (-1.0, 70000.0, np.nan):
        image.fromarray(np.full((4, 4), number, np.float32)).save("mix/a/x.tif")
        assert refused("mix").endswith(
            f"mix/a/x.tif holds the pixel {number:g}; expected pixels in 0 … 65535; scale it to 8 or 16 bits."
        )


def test_every_part_of_deep_images_has_the_same_scale() -> None:
    x = np.full((80, 4, 4), 200, np.uint16)
    x[0] = 4000
    np.savez("deep.npz", x_train=x[:60], y_train=np.arange(60) % 2, x_test=x[60:], y_test=np.arange(20) % 2)
    np.savez("bool.npz", x=GENERATOR.random((60, 4, 4)) > 0.5, y=np.arange(60) % 2)
    assert np.unique(load("deep.npz", shifts=()).split.test.array) == pytest.approx(200 / 4095)
    assert load("bool.npz", shifts=()).split.test.array.max() == 1


def test_without_pillow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("pets/cat").mkdir(parents=True)
    Path("pets/cat/1.png").touch()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        load("pets")
    assert str(caught.value) == "the package 'PIL' is not installed; pip install \"polyculture[images]\"."


# texts, tokens


def test_texts_by_line_are_read_with_blank_or_tab() -> None:
    write("q.train.txt", [f"{k % 2} what is {k} ?" for k in range(60)])
    write("q.test.txt.gz", [f"{k % 2}\twhere is {k} ?\t\t" for k in range(20)])
    problem = load("q.train.txt", "q.test.txt.gz")
    assert (problem.name, problem.modality) == ("q", "text")
    assert problem.split.test.array[3] == "where is 3 ?"
    assert problem.split.test.labels.tolist() == [k % 2 for k in range(20)]
    assert len(problem.split.shifted["typos@2"]) == 20


def test_of_labels_with_a_colon_what_is_before_it_counts() -> None:
    name = write("q.txt", [f"{('ABBR:exp', 'DESC:def', 'DESC:manner')[k % 3]} what is {k} ?" for k in range(60)])
    assert load(name).split.train.classes == ("ABBR", "DESC")


def test_lines_in_an_old_encoding_are_read() -> None:
    Path("q.txt").write_bytes(b"".join(f"{k % 2} caf\u00e9 {k}\n".encode("latin-1") for k in range(40)))
    assert "caf\u00e9" in load("q.txt").split.train.array[0]


def test_a_table_of_texts_is_texts() -> None:
    rows = [f'"this is text, number {k}",{"good" if k % 2 else "bad"}' for k in range(40)]
    problem = load(write("t.csv", ["review,label", *rows]))
    assert problem.modality == "text"
    assert problem.split.train.array[0].startswith("this is text, number")
    assert load("t.csv", kind="text").fingerprint == problem.fingerprint
    write("n.csv", table())
    assert refused("n.csv", kind="text") == (
        "n.csv has no column of texts; "
        "expected one called text, sentence, content, review, message, question, tweet, comment."
    )


def test_a_line_without_a_text_is_one_line() -> None:
    assert refused(write("q.txt", ["1 what ?", "2"])) == (
        "line 2 of q.txt is '2'; expected a label, a tab or a blank, and a text."
    )


def tokens(n: int, length: int = 4) -> list[str]:
    return [line for k in range(n) for line in (*(f"w{(k + j) % 9}\tT{(k + j) % 3}" for j in range(length)), "")]


def test_tagged_tokens_are_sequences_between_blank_lines() -> None:
    for genre in ("mail", "news"):
        for part in ("train", "dev", "test"):
            write(f"ud/{genre}.{part}.tsv.gz", tokens(10))
    problem = load("ud", hold_out=("news",))
    split = problem.split
    assert (problem.name, problem.task, split.train.classes) == ("ud", "tagging", ("T0", "T1", "T2"))
    assert [len(part) for part in (split.train, split.selection, split.test)] == [10, 10, 10]
    assert set(split.train.instances["file"]) == {"mail"}
    assert len(split.shifted["file=news"]) == 30
    word, tag = split.train.array[0, 0], split.train.classes[split.train.labels[0, 0]]
    assert tag == f"T{int(word[1:]) % 3}"


def test_long_sequences_are_cut_in_pieces_and_no_token_is_lost() -> None:
    problem = load(write("t.conll", tokens(30, 50)), shifts=())
    split = problem.split
    assert split.train.array.shape[1] == 40
    parts = (split.train, split.selection, split.test)
    assert sum(int((part.labels >= 0).sum()) for part in parts) == 30 * 50
    names = [str(i) for part in parts for i in part.instances.index]
    assert sorted(names) == sorted([str(k) for k in range(30)] + [f"{k}+40" for k in range(30)])


def test_columns_by_blanks_documents_and_universal_dependencies_are_read() -> None:
    line = "{}\t{}\tx\t{}\t_\t_\t_\t_\t_\t_"
    rows = [
        row
        for k in range(30)
        for row in (
            "# text = a b",
            "1-2\tab" + "\t_" * 8,
            line.format(1, "a", "DET"),
            line.format(2, "b", f"N{k % 2}"),
            "",
        )
    ]
    split = load(write("u.conllu", rows)).split
    assert split.train.classes == ("DET", "N0", "N1")
    assert split.train.array[0].tolist() == ["a", "b"]
    spaced = ["-DOCSTART- -X- O O", "", *(row for k in range(30) for row in (f"w{k} NN B", "x NN O", ""))]
    split = load(write("c.txt", spaced)).split
    assert split.train.classes == ("B", "O")


HASHES = [
    (["cost O", "# B-UNIT", "5 I-UNIT"], ("cost", "#", "5")),
    (["# B-UNIT", "5 I-UNIT"], ("#", "5")),
    (["# O"], ("#",)),
    (["# #", "5 CD"], ("#", "5")),
    (["#\tO", "5\tB-UNIT"], ("#", "5")),
    (["#win O", "5 B-UNIT"], ("#win", "5")),
    (["# SYM B-UNIT", "5 CD I-UNIT"], ("#", "5")),
    (["# sent_id = 4", "cost O", "#1 O"], ("cost", "#1")),
    (["# newdoc", "# id = 7", "cost O", "5 B-UNIT"], ("cost", "5")),
    (["# text", "cost O"], ("cost",)),
    (["cost O", "-DOCSTART- O"], ("cost", "-DOCSTART-")),
    (["\u3000 O", "3\u00a0000 B-UNIT"], ("\u3000", "3\u00a0000")),
    (["NA O", '" O', "null B-UNIT"], ("NA", '"', "null")),
]


@pytest.mark.parametrize(("lines", "sequence"), HASHES)
@pytest.mark.parametrize("name", ["t.conll", "t.txt"])
def test_a_token_that_looks_like_something_else_is_a_token(
    name: str, lines: list[str], sequence: tuple[str, ...]
) -> None:
    from polyculture.preparation.problems.readers.files import read_files

    path = write(name, [*lines, ""] * 30)
    raw = read_files([Path(path)], DataOptions())
    assert raw.modality == "tags"
    assert (len(raw), raw.inputs[0]) == (30, sequence)


def test_a_hash_is_a_token_of_universal_dependencies_but_not_at_the_start_of_a_line() -> None:
    from polyculture.preparation.problems.readers.tokens import read_tokens

    line = "{}\t{}\tx\t{}\t_\t_\t_\t_\t_\t_"
    rows = ["#text = # 5", line.format(1, "#", "SYM"), "1.1" + "\t_" * 9, line.format(2, "5", "NUM"), ""]
    raw = read_tokens([Path(write("u.conllu", rows * 5))], DataOptions())
    assert (len(raw), raw.inputs[0], raw.labels[0]) == (5, ("#", "5"), ("SYM", "NUM"))


def test_tokens_that_cannot_be_used_are_one_line() -> None:
    name = write("t.conll", [*tokens(3), "alone"])
    assert refused(name) == "line 16 of t.conll is 'alone'; expected a token and its tag, a tab or blanks between."
    write("t.conll", tokens(30))
    other = write("o.conll", ["w\tT9", ""])
    assert refused("t.conll", test_on=(other,)) == (
        "o has the tag 'T9'; expected only tags that are learned; did you mean 'T2' or 'T1' or 'T0'?"
    )


# recordings


def sound(seconds: float = 0.2, rate: int = 8000, pitch: float = 440) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * pitch * time) * 32767).astype(np.int16)


def test_recordings_in_a_zip_file_tell_class_and_speaker_by_name() -> None:
    with zipfile.ZipFile("spoken.zip", "w") as archive:
        for k in range(60):
            wavfile.write("one.wav", 8000, sound(0.1 + 0.01 * (k % 5)))
            archive.write("one.wav", f"recordings/{k % 2}_{('ann', 'bob', 'eve')[k % 3]}_{k}.wav")
    problem = load("spoken.zip", hold_out=("eve",))
    train = problem.split.train
    assert (problem.name, problem.modality, train.classes) == ("spoken", "audio", ("0", "1"))
    assert train.array.shape[1] == 1120
    assert set(train.instances["speaker"]) == {"ann", "bob"}
    assert len(problem.split.shifted["speaker=eve"]) == 20
    label, speaker, _ = Path(str(train.instances.index[0])).stem.split("_")
    assert (train.classes[train.labels[0]], train.instances["speaker"].iloc[0]) == (label, speaker)
    assert abs(float(np.abs(train.array).max()) - 0.5) < 0.01


def test_recordings_in_folders_have_the_folder_as_class() -> None:
    for k in range(40):
        path = Path("words") / ("yes" if k % 2 else "no") / f"p{k % 4}_nohash_{k}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wavfile.write(path, 8000, sound())
    problem = load("words")
    assert problem.split.train.classes == ("no", "yes")
    assert problem.groups == ("speaker",)
    assert set(problem.split.test.instances["speaker"]) <= {"p0", "p1", "p2", "p3"}


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_recordings_of_any_type_and_rate_are_the_same_sound(kind: type, rate: int) -> None:
    samples = sound(0.5, rate).astype(float) / 32768
    scaled = {
        np.uint8: samples * 127 + 128,
        np.int16: samples * 32767,
        np.int32: samples * (2**31 - 1),
        np.float32: samples,
    }
    wavfile.write("one.wav", rate, np.column_stack([scaled[kind]] * 2).astype(kind))
    wave = wave_of(Path("one.wav").read_bytes(), "one.wav")
    assert wave.shape == (4000,)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)
    np.testing.assert_allclose(wave[200:-200], expected[200:-200], atol=0.02)


def float_wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, 8000, samples.astype(np.float32))
    return file.getvalue()


@pytest.mark.parametrize("peak", [0.25, 1.0, 1.5, 12.0])
def test_a_float_recording_over_full_scale_keeps_its_shape(peak: float) -> None:
    samples = peak * np.sin(np.arange(4000) / 3).astype(np.float32)
    wave = wave_of(float_wav(samples), "loud.wav")
    np.testing.assert_allclose(wave, samples / max(1, np.abs(samples).max()), atol=1e-6)


@pytest.mark.parametrize(("value", "text"), [(32767, "32767"), (np.nan, "nan"), (np.inf, "inf")])
def test_a_float_recording_of_another_scale_is_refused(value: float, text: str) -> None:
    samples = np.zeros(4000)
    samples[7] = value
    with pytest.raises(FileError) as caught:
        wave_of(float_wav(samples), "odd.wav")
    assert str(caught.value) == (
        f"the samples of odd.wav reach {text}; expected floating-point samples in -1 … 1, full scale; "
        "divide samples of integers' scale by 32768; leave recordings with nan or inf out."
    )


def test_a_recording_of_24_bits_is_read_in_full_scale() -> None:
    levels = np.array([0, 2**22, 2**23 - 1, -(2**23), -(2**22)])
    file = io.BytesIO()
    with wave_module.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(3)
        recording.setframerate(8000)
        recording.writeframes(b"".join(int(level).to_bytes(3, "little", signed=True) for level in levels))
    np.testing.assert_allclose(wave_of(file.getvalue(), "deep.wav"), levels / 2**23, atol=1e-6)


def test_recordings_that_cannot_be_used_are_one_line() -> None:
    Path("s").mkdir()
    Path("s/7.wav").write_bytes(b"RIFF")
    assert refused("s") == (
        "7.wav in s does not say its class; expected names such as 7_george_12.wav, or a folder per class."
    )
    Path("s/7.wav").rename("s/7_ann_1.wav")
    assert refused("s").startswith("cannot read s: 7_ann_1.wav: ")
    Path("bad.zip").write_bytes(b"no")
    assert refused("bad.zip") == (
        "cannot read bad.zip: File is not a zip file; expected a folder or zip file of WAV files."
    )
    with zipfile.ZipFile("none.zip", "w"):
        pass
    assert refused("none.zip") == "none.zip holds no instance; expected one or more."
    assert refused("s/7_ann_1.wav") == "the single file s/7_ann_1.wav; expected the folder that it lies in."


# time series


def test_a_time_series_is_windows_and_the_number_after_them() -> None:
    rows = [f"2020-01-{k},{k},{k * 10}" for k in range(120)]
    problem = load(write("s.csv", ["date,a,b", *rows]), kind="series", window=4, horizon=2, shifts=("drift",))
    train, test = problem.split.train, problem.split.test
    assert (problem.modality, problem.task, train.array.shape[1:]) == ("series", "regression", (4, 2))
    np.testing.assert_array_equal(train.array[0], [[k, 10 * k] for k in range(4)])
    assert train.labels[0] == 50
    assert problem.note == "'b' 2 steps after 4 steps of 2 columns"
    assert train.labels.max() < test.array[:, :, 1].min()
    assert list(problem.split.shifted) == [f"drift@{k}" for k in range(1, 6)]
    assert load("s.csv", kind="series", label="a", window=9).split.train.labels[0] == 9


def test_neighbours_in_a_series_count_as_one_draw() -> None:
    problem = load(write("s.csv", ["a", *map(str, range(100))]), kind="series", window=4)
    assert problem.cluster == "block"
    assert problem.split.train.instances["block"].tolist()[:11] == [0] * 5 + [1] * 5 + [2]


def test_gaps_in_a_series_are_filled_with_the_last_value() -> None:
    rows = [f"{'' if k % 10 == 3 else k}" for k in range(100)]
    split = load(write("s.csv", ["a", *rows]), kind="series", window=3).split
    assert split.train.array[1].ravel().tolist() == [1, 2, 2]


FORMATS = ["%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y-%m-%dT%H:%M:%S+02:00", "%s"]


def hours(form: str = "%Y-%m-%d %H:%M", n: int = 600) -> pd.DataFrame:
    dates = pd.date_range("2023-12-20", periods=n, freq="h")
    texts = (dates.astype("int64") // 10**9).astype(str) if form == "%s" else dates.strftime(form)
    return pd.DataFrame({"date": texts, "value": np.sin(np.arange(n) / 5)})


@pytest.mark.parametrize("form", FORMATS)
def test_a_series_is_sorted_by_its_times(form: str) -> None:
    options = {"kind": "series", "time": "date", "label": "value", "window": 5, "shifts": ()}
    hours(form).to_csv("s.csv", index=False)
    ordered = load("s.csv", **options)
    hours(form).sample(frac=1, random_state=0).to_csv("s.csv", index=False)
    shuffled = load("s.csv", **options)
    assert shuffled.fingerprint == ordered.fingerprint
    assert ordered.split.train.array.shape[2] == 1
    np.testing.assert_allclose(ordered.split.train.labels[:9], np.sin(np.arange(5, 14) / 5))
    assert ordered.split.train.instances["date"].max() < ordered.split.test.instances["date"].min()


def test_a_series_in_parquet_is_sorted_by_its_index() -> None:
    frame = hours().assign(date=pd.date_range("2024-01-01", periods=600, freq="h", tz="Europe/Berlin"))
    frame.set_index("date").sample(frac=1, random_state=0).to_parquet("s.parquet")
    train = load("s.parquet", kind="series", time="date", window=5, shifts=()).split.train
    np.testing.assert_allclose(train.labels[:9], np.sin(np.arange(5, 14) / 5))
    assert refused("s.parquet", kind="series").startswith("s.parquet is not in the order of 'date': ")


def test_a_series_out_of_order_is_refused_unless_its_times_are_named() -> None:
    hours()[::-1].to_csv("s.csv", index=False)
    assert refused("s.csv", kind="series") == (
        "s.csv is not in the order of 'date': 2024-01-13 22:00 comes after 2024-01-13 23:00; expected rows in the "
        "order of time; name the column by time (--time date), and the rows are sorted."
    )
    assert load("s.csv", kind="series", ignore=("date",)).modality == "series"
    assert refused("s.csv", kind="series", time="dates") == "s.csv has no column 'dates'; did you mean 'date'?"
    pd.concat([hours(), hours(), hours()]).to_csv("s.csv", index=False)
    assert refused("s.csv", kind="series", time="date") == (
        "600 times in 1,800 rows of s.csv; expected a single series; one file for each series."
    )
    hours().assign(value=lambda frame: frame["value"].replace(0.0, np.inf)).to_csv("s.csv", index=False)
    assert refused("s.csv", kind="series") == (
        "column 'value' of s.csv holds an infinite number; expected finite numbers, or empty cells."
    )


def test_times_of_a_table_sort_by_the_calendar_or_are_refused() -> None:
    dates = pd.date_range("2023-12-20", periods=100)[::-1]
    frame = pd.DataFrame({"date": dates.strftime("%d/%m/%Y"), "size": range(100), "label": [0, 1] * 50})
    frame.to_csv("t.csv", index=False)
    assert load("t.csv", time="date").split.train.instances["date"].max() == "2024-02-02"
    for values, message in (
        (["01/02/2024"] * 100, "holds '01/02/2024', of which either number may be the month; expected dates such as"),
        ([f"week {k}" for k in range(100)], "holds 'week 0', neither number nor date; expected numbers, or dates such"),
        ([None, *dates[1:].astype(str)], "has no time in 1 row; expected a time in every row."),
    ):
        frame.assign(date=values).to_csv("t.csv", index=False)
        assert refused("t.csv", time="date").startswith(f"column 'date' of the table {message}")


def test_a_series_that_cannot_be_used_is_one_line() -> None:
    write("s.csv", ["when,a", *(f"d{k},{k}" for k in range(9))])
    assert refused("s.csv", kind="series") == "s.csv has 9 rows; expected more than a window of 24 and 1 ahead."
    assert refused("s.csv", kind="series", label="when") == "s.csv has no column of numbers 'when'; known: a."
    assert refused("s.csv", "s.csv", kind="series") == (
        "2 time series; expected one file; name others by test_on (--test-on)."
    )


# the real thing


def test_hearts_of_four_hospitals_are_read(shared_data: Path) -> None:
    hospitals = ("cleveland", "hungarian", "switzerland", "va")
    files = [str(shared_data / "tabular" / f"heart_{name}.csv") for name in hospitals]
    problem = load(*files, positive=">0", hold_out=("heart_va",))
    assert problem.split.train.array.shape == (324, 13)
    assert len(problem.split.shifted["file=heart_va"]) == 200


@pytest.mark.slow
def test_usps_is_another_test_of_mnist(shared_data: Path) -> None:
    usps = str(shared_data / "image" / "usps.npz")
    problem = load(str(shared_data / "image" / "mnist.npz"), test_on=(usps,), limit=300)
    assert problem.split.train.array.shape == (300, 28, 28)
    assert problem.split.shifted["usps"].array.shape == (300, 28, 28)
    assert len(problem.split.shifted) == 81


@pytest.mark.slow
def test_spoken_digits_are_read(shared_data: Path) -> None:
    problem = load(str(shared_data / "speech" / "fsdd_wav.zip"), hold_out=("george",), shifts=())
    assert len(problem.split.shifted["speaker=george"]) == 500
    assert len(set(problem.split.train.instances["speaker"])) == 5


@pytest.mark.slow
def test_parts_of_speech_in_five_genres_are_read(shared_data: Path) -> None:
    problem = load(str(shared_data / "sequence" / "ud_ewt_by_genre"), hold_out=("weblog",), limit=200, shifts=())
    assert len(problem.split.train.classes) == 17
    assert len(set(problem.split.train.instances["file"])) == 4


@pytest.mark.parametrize(
    ("names", "classes", "test"),
    [
        (("stsa.binary.train.gz", "stsa.binary.dev.gz", "stsa.binary.test.gz"), 2, 1821),
        (("TREC.train.all.gz", "TREC.test.all.gz"), 6, 500),
    ],
)
def test_sentiment_and_question_types_are_read(
    shared_data: Path, names: tuple[str, ...], classes: int, test: int
) -> None:
    problem = load(*(str(shared_data / "text" / name) for name in names))
    assert problem.modality == "text"
    assert len(problem.split.train.classes) == classes
    assert len(problem.split.test) == test
