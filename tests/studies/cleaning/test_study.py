"""From files to faults, a page, a cleaned copy and back; what is hidden stays hidden, what is refused is said once."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.errors import FileError, InputError
from polyculture.preparation.cleaning import Fault
from polyculture.reporting import report
from polyculture.reporting.result_folder import store_sections
from polyculture.reporting.sections import section_figures
from polyculture.studies.cleaning.copies.manifest import LOG, MANIFEST
from polyculture.studies.cleaning.removal import rows_left_out

TABLE = b"""id,email,height,weight,y
1,ann@example.org,1.7,60,a
2,bob@example.org,1.8,71,b\r
3,ann@example.org,1.7,60,a
4,"cy@example.org",1.6,55,b
5,dot@example.org,1.6,55,a
6,eve@example.org,,50,
7,ann@example.org,1.7,60,a
"""


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_bytes(TABLE)
    return Path("people.csv")


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_nothing_is_left_out_by_default(table):
    result = pc.clean(table, out="out")
    assert names(Path("out")) == ["faults.csv"]
    assert result.copy is None
    assert "2 exact duplicates" in result.sentence
    assert "Nothing was left out." in result.sentence
    assert result.next_command == "polyculture clean people.csv --apply duplicate"


def test_every_fault_is_a_line_with_the_id_and_the_file_of_its_row(table):
    frame = pc.clean(table, out="out").frame()
    repeats = frame[frame["kind"] == "duplicate"]
    assert repeats["instance"].tolist() == ["3", "7"]
    assert repeats["other_instance"].tolist() == ["1", "1"]
    assert set(repeats["file"]) == {"people.csv"}


def test_a_copy_lacks_the_rows_and_undo_gives_every_byte_back(table):
    result = pc.clean(table, pc.CleanOptions(apply=["duplicate"]), out="out")
    lines = TABLE.splitlines(keepends=True)
    assert Path("out/clean/people.csv").read_bytes() == b"".join(lines[k] for k in (0, 1, 2, 4, 5, 6))
    log = list(csv.DictReader(io.StringIO(Path("out", LOG).read_text(), newline="")))
    assert [(row["line"], row["instance"], row["kind"]) for row in log] == [
        ("4", "3", "duplicate"),
        ("8", "7", "duplicate"),
    ]
    assert log[0]["content"] == "3,ann@example.org,1.7,60,a\n"
    assert "Left out of the copy: 2 training rows (exact duplicates 2); undo gives them back." in result.sentence
    assert pc.undo_clean("out").joinpath("people.csv").read_bytes() == TABLE
    assert result.next_command == "polyculture run out/clean/people.csv"


def test_conflicting_labels_leave_no_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,y\n1,x\n1,z\n2,x\n1,z\n3,z\n")
    result = pc.clean("t.csv", pc.CleanOptions(apply=["conflict"]), out="out")
    assert Path("out/clean/t.csv").read_text() == "a,y\n2,x\n3,z\n"
    assert result.removed["row"].tolist() == [0, 1, 3]


def test_a_leak_takes_every_training_row_of_these_inputs_and_no_test_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.train.txt").write_text("x one two\nz three four\nz one two\nz one two\n")
    Path("t.test.txt").write_text("x one two\nz five six\nz five six\n")
    result = pc.clean(["t.train.txt", "t.test.txt"], pc.CleanOptions(apply=["leak", "duplicate"]), out="out")
    assert Path("out/clean/t.train.txt").read_text() == "z three four\n"
    assert Path("out/clean/t.test.txt").read_bytes() == Path("t.test.txt").read_bytes()
    assert "Of test, 1 of 3 rows (33.3 %) are in train, too." in result.sentence
    for name in ("t.train.txt", "t.test.txt"):
        assert (pc.undo_clean("out") / name).read_bytes() == Path(name).read_bytes()


@pytest.mark.parametrize("how", ["hash", "mask", "drop"])
def test_what_is_hidden_is_in_no_file(table, how):
    options = pc.CleanOptions(apply=["duplicate"], mask={"email": how})
    result = pc.clean(table, options, out="out")
    store_sections(result.sections, Path("out/clean.json"), result.next_command)
    pc.undo_clean("out")
    for name in names(Path("out")):
        assert b"example.org" not in Path("out", name).read_bytes(), name
    copy = pd.read_csv("out/clean/people.csv")
    assert ("email" in copy) == (how != "drop")
    assert f"Hidden in all that is stored: email ({how})." in result.sentence
    assert copy["weight"].tolist() == [60, 71, 55, 55, 50]  # a row without a label is masked, too, and stays
    if how == "hash":
        assert copy["email"].nunique() == 5


def test_what_is_looked_for_in_texts_is_said_to_be_found_or_not(table):
    result = pc.clean(table, pc.CleanOptions(mask={"e-mail": "mask", "iban": "drop"}), out="out")
    hidden = "Hidden in all that is stored: e-mail (mask, 6 places). None was found to hide: iban."
    assert hidden in result.sentence  # of the six rows with a label
    nothing = pc.clean(table, pc.CleanOptions(mask={"iban": "drop"}), out="none").sentence
    assert "None was found to hide: iban." in nothing
    assert "Hidden in all" not in nothing


def test_a_key_makes_the_same_hashes(table):
    copies = []
    for out in ("a", "b"):
        pc.clean(table, pc.CleanOptions(mask={"email": "hash", "id": "hash"}, key="my.key"), out=out)
        copies.append(Path(out, "clean/people.csv").read_bytes())
    assert copies[0] == copies[1]
    assert b"\n1," not in copies[0]
    assert Path("my.key").stat().st_mode & 0o077 == 0
    pc.clean(table, pc.CleanOptions(mask={"email": "hash"}), out="c")
    assert Path("c/clean/people.csv").read_bytes() != copies[0]


def test_a_parquet_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"a": [1.5, 2.0, 1.5, 3.0], "name": ["x y", "b", "x y", "c"], "y": [0, 1, 0, 1]})
    table.to_parquet("t.parquet")
    pc.clean("t.parquet", pc.CleanOptions(apply=["duplicate"], mask={"name": "mask"}), out="out")
    copy = pd.read_parquet("out/clean/t.parquet")
    assert copy["a"].tolist() == [1.5, 2.0, 3.0]
    assert set(copy["name"]) == {"[masked]"}
    restored = pd.read_parquet(pc.undo_clean("out") / "t.parquet")
    pd.testing.assert_frame_equal(restored.drop(columns="name"), table.drop(columns="name"))
    assert restored["name"].tolist() == ["[masked]"] * 4


def test_an_archive_loses_rows_of_all_its_arrays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    x = draw.integers(0, 255, (9, 4, 4), dtype=np.uint8)
    x[5] = x[2]
    arrays = {"x_train": x[:7], "y_train": np.arange(7) % 2, "train_ids": np.arange(7), "x_test": x[[0, 7, 8]]}
    arrays |= {"y_test": np.array([0, 1, 0]), "note": np.array([3])}
    arrays["y_train"][5] = arrays["y_train"][2]
    np.savez("t.npz", **arrays)
    result = pc.clean("t.npz", pc.CleanOptions(apply=["duplicate", "leak"]), out="out")
    assert result.removed["row"].tolist() == [0, 5]
    with np.load("out/clean/t.npz") as copy:
        assert copy["train_ids"].tolist() == [1, 2, 3, 4, 6]
        assert [len(copy[name]) for name in ("x_train", "y_train", "x_test", "y_test")] == [5, 5, 3, 3]
    with np.load(pc.undo_clean("out") / "t.npz") as restored:
        for name, array in arrays.items():
            np.testing.assert_array_equal(restored[name], array)


def test_a_folder_of_pictures(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 255, (6, 8, 8), dtype=np.uint8)
    pixels[4] = pixels[2]
    for k, picture in enumerate(pixels):
        path = Path(f"pets/{'cat' if k % 2 else 'dog'}/{k}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(picture).save(path)
    result = pc.clean("pets", pc.CleanOptions(apply=["duplicate"]), out="out")
    assert names(Path("out/clean")) == ["cat/1.png", "cat/3.png", "cat/5.png", "dog/0.png", "dog/2.png"]
    assert names(Path("out/removed")) == ["dog/4.png"]
    assert names(pc.undo_clean("out")) == names(Path("pets"))
    assert all(
        (Path("out/original") / name).read_bytes() == (Path("pets") / name).read_bytes() for name in names(Path("pets"))
    )
    figures = section_figures(result.sections[0])
    assert set(figures) == {"cleaning_faults", "cleaning_pairs"}
    assert len(figures["cleaning_pairs"]["data"]["values"]) == 2
    page = report(None, "page.html", result.sections).read_text()
    assert "Rows that are alike, side by side" in page


def test_columns_with_a_spike_are_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    pressure = np.where(np.arange(200) % 20 == 0, 0, draw.integers(100, 160, 200))
    table = pd.DataFrame({"pressure": pressure, "age": draw.integers(30, 80, 200), "y": np.arange(200) % 2})
    table.to_csv("t.csv", index=False)
    section = pc.clean("t.csv", out="out").sections[0]
    bars = section.tables["histograms"]
    assert bars["column"].unique().tolist() == ["pressure"]
    assert bars["in_question"].sum() == 10
    assert bars["values"].sum() == 200
    assert "cleaning_histograms" in section_figures(section)
    assert "10 disguised missing values" in section.sentence


def test_data_without_a_fault(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"a": draw.normal(size=60), "b": draw.normal(size=60), "y": np.arange(60) % 2})
    table.to_csv("t.csv", index=False)
    result = pc.clean("t.csv", pc.CleanOptions(apply=["duplicate"], kinds=["duplicate"]), out="out")
    assert result.sentence == (
        "t: no fault is seen in 60 rows. No training row has a fault that was to be left out (duplicate). That nothing "
        "was found does not show that the data are right."
    )
    assert Path("out/clean/t.csv").read_bytes() == Path("t.csv").read_bytes()
    report(None, "page.html", result.sections)


def test_the_stored_sections_make_the_same_page(table):
    result = pc.clean(table, out="out")
    store_sections(result.sections, Path("out/clean.json"), result.next_command)
    stored = json.loads(Path("out/clean.json").read_text())
    assert stored["name"] == "cleaning"
    assert "Is the data in order?" in Path("out/page.html").read_text()
    again = pc.clean(table, out="out")
    assert again.sentence == result.sentence


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": {"emial": "hash"}}, "no field 'emial' to hide; did you mean 'email' or 'e-mail'?"),
        ({"mask": {"email": "hide"}}, "the mask 'hide' of 'email'; known: drop, hash, mask."),
        ({"mask": {"y": "hash"}}, "the label 'y' as a field to hide; expected a field that is not to be learned."),
        (
            {"mask": {"instance": "mask"}},
            "the ids of instances are to be masked; expected distinct ids; hash or drop them.",
        ),
        ({"apply": ["dupplicate"]}, "no kind of fault 'dupplicate'; did you mean 'duplicate' or 'near-duplicate'?"),
        ({"apply": ["label-error"]}, "expected models that find them; add label_errors (--label-errors)."),
        ({"kinds": ["leek"]}, "no kind of fault 'leek'; did you mean 'leak'"),
        ({"kinds": ["leak"], "apply": ["duplicate"]}, "'duplicate' is to be left out, but is not searched for"),
        ({"models": 1}, "models of cleaning is 1; expected a whole number of 2 or more."),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(table, options, message):
    with pytest.raises(InputError) as error:
        pc.clean(table, pc.CleanOptions(**options), out="out")
    assert message in str(error.value)
    assert not Path("out/clean").exists()


def test_a_kind_without_rows_names_its_remedy():
    with pytest.raises(InputError) as error:
        pc.CleanOptions(apply=["constant-column"])
    assert str(error.value).startswith("rows left out for 'constant-column'; expected one of duplicate, conflict, ")
    assert str(error.value).endswith("leave the column out.")


def test_files_that_are_not_there_or_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=r"no such file or folder: absent\.csv"):
        pc.clean("absent.csv", out="out")
    Path("t.csv").write_text("a,y\n")
    with pytest.raises(InputError, match=r"t\.csv has a header but no rows; expected one row per instance"):
        pc.clean("t.csv", out="out")


def test_problems_by_name_have_no_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pc.clean("iris", out="out").next_command == "polyculture run iris --clean"
    with pytest.raises(InputError, match="a cleaned copy of iris: a problem by name has no file"):
        pc.clean("iris", pc.CleanOptions(apply=["duplicate"]), out="out")


def test_folders_that_are_in_use(table):
    Path("used").mkdir()
    Path("used/thesis.txt").touch()
    with pytest.raises(InputError) as error:
        pc.clean(table, out="used")
    assert str(error.value) == (
        "used holds other files, such as thesis.txt; expected an empty folder, or one of clean; "
        "name another with --out."
    )
    Path("data").mkdir()
    Path("data/people.csv").write_bytes(TABLE)
    with pytest.raises(InputError, match="the folder data/out lies in data, which is read"):
        pc.clean("data", out="data/out")


def test_a_copy_is_not_cleaned_into_its_own_folder(table):
    pc.clean(table, pc.CleanOptions(apply=["duplicate"]), out="out")
    with pytest.raises(InputError) as error:
        pc.clean("out/clean/people.csv", out="out")
    assert str(error.value) == (
        "out/clean/people.csv lies in out, which is written anew; expected another folder; name it with --out."
    )


def test_some_row_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,b,y\n1,,x\n2,,z\n3,,z\n,4,x\n")
    with pytest.raises(InputError) as error:
        pc.clean("t.csv", pc.CleanOptions(apply=["missing"]), out="out")
    assert str(error.value) == ("all 4 training rows have a fault to be left out (missing); expected one row or more.")
    assert not Path("out/clean").exists()


def test_undo_refuses_what_was_changed(table):
    pc.clean(table, pc.CleanOptions(apply=["duplicate"]), out="out")
    for name in ("clean/people.csv", LOG):
        content = Path("out", name).read_bytes()
        Path("out", name).write_bytes(content + b"8,x,1,1,a\n")
        with pytest.raises(InputError) as error:
            pc.undo_clean("out")
        assert str(error.value).startswith(f"out/{name} was changed after it was cleaned; expected the file that clean")
        Path("out", name).write_bytes(content)
    assert not Path("out/original").exists()
    Path("out", MANIFEST).write_text("{}")
    with pytest.raises(FileError, match="cannot be read"):
        pc.undo_clean("out")
    Path("out", MANIFEST).write_text('{"format": 99}')
    with pytest.raises(InputError, match="is of format 99"):
        pc.undo_clean("out")
    with pytest.raises(FileError, match="people holds no cleaned copy; expected a folder of polyculture clean --apply"):
        pc.undo_clean("people")


def test_rows_are_left_out_once_each():
    faults = [
        Fault("duplicate", "train", 4, "repeats row 1", other_part="train", other_row=1),
        Fault("duplicate", "test", 2, "repeats row 0", other_part="test", other_row=0),
        Fault("missing", "train", 4, "no value", "a"),
        Fault("missing", "train", 5, "no value", "a"),
        Fault("missing", "train", 5, "no value", "b"),
        Fault("leak", "test", 3, "is row 1 of train", other_part="train", other_row=1),
    ]
    table = rows_left_out(faults, ["duplicate", "missing", "leak"])
    assert table.to_dict("records") == [
        {"part": "train", "row": 1, "kind": "leak", "reason": "is a row of test: 3"},
        {"part": "train", "row": 4, "kind": "duplicate", "reason": "repeats row 1"},
        {"part": "train", "row": 5, "kind": "missing", "reason": "no value"},
    ]
    assert rows_left_out(faults, []).empty
