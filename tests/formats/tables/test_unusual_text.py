"""Are tables of unusual encodings and packings read as the plain ones, and broken ones refused with their cure?"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import pyarrow as pa
import pytest

from polyculture.errors import FileError, InputError
from polyculture.formats import ReadingRules, align, read, unpacking
from polyculture.formats.tables.files import open_table

TEXT = "id,label,a,b\n" + "".join(f"q{i},ä{i % 3},ä{i % 2},ä1\n" for i in range(900))


def check(path, folder):
    (folder / "plain.csv").write_text(TEXT, encoding="utf-8")
    ours, plain = read(path), read(folder / "plain.csv")
    assert ours.answers.tolist() == plain.answers.tolist()
    assert ours.labels.tolist() == plain.labels.tolist()
    assert (ours.classes, ours.model_ids) == (plain.classes, plain.model_ids)
    assert ours.instances.equals(plain.instances)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_with_the_mark_of_its_encoding_is_read(encoding, end, tmp_path):
    mark = "\ufeff" if encoding.endswith("-be") else ""
    (tmp_path / "t.csv").write_bytes((mark + TEXT.replace("\n", end)).encode(encoding))
    check(tmp_path / "t.csv", tmp_path)


def test_json_lines_in_utf_16_are_read(tmp_path):
    lines = "".join(f'{{"id": {i}, "label": "ä", "a": "ä", "b": "x"}}\n' for i in range(9))
    (tmp_path / "t.jsonl").write_bytes(lines.encode("utf-16"))
    assert read(tmp_path / "t.jsonl").answers.tolist() == [[1] * 9, [0] * 9]


def test_half_a_character_of_utf_16_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(TEXT.encode("utf-16")[:-1])
    with pytest.raises(InputError, match="begins as text in UTF-16 but is not: truncated data; expected text in UTF-8"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize("hint", ["sep=;", "SEP=;", '"sep=;"'])
def test_a_hint_for_excel_names_the_separator(hint, tmp_path):
    (tmp_path / "t.csv").write_text(f"{hint}\n" + TEXT.replace(",", ";"), encoding="utf-8")
    check(tmp_path / "t.csv", tmp_path)


@pytest.mark.parametrize("separator", ["^", "\t", "|", ","])
def test_a_hint_may_name_any_separator(separator, tmp_path):
    text = f"sep={separator}\r\n" + TEXT.replace(",", separator).replace("\n", "\r\n")
    (tmp_path / "t.csv").write_bytes(text.encode("utf-16"))
    check(tmp_path / "t.csv", tmp_path)


def test_bad_lines_below_a_hint_have_their_own_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\nid;label;a;b\nq1;x;x;y\nq2;x;x\nq3;x;y;y\n")
    report = align(tmp_path / "t.csv", rules=ReadingRules(skip_bad=True)).report
    assert report.skipped.iloc[0].tolist() == [
        f"line 4 of {tmp_path / 't.csv'}",
        "has 3 cells but the header has 4",
    ]


def zstandard(text):
    return pa.compress(text, "zstd", asbytes=True)


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard}


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_packed_tables_are_read(suffix, encoding, tmp_path):
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT.encode(encoding)))
    check(path, tmp_path)


@pytest.mark.parametrize("suffix", PACKERS)
def test_half_a_packed_table_is_refused(suffix, tmp_path):
    path = tmp_path / f"t.csv{suffix}"
    packed = PACKERS[suffix](TEXT.encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises((FileError, InputError), match=r"is not a complete .* file: |is cut off"):
        read(path)


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return path


@pytest.mark.parametrize("name", ["t.zip", "t.csv.zip", "t.csv"])
def test_a_zip_archive_of_one_table_is_read(name, tmp_path):
    check(archive(tmp_path / name, {"folder/inner.csv": TEXT, "__MACOSX/._inner.csv": "x"}), tmp_path)


def test_packed_tables_of_a_folder_are_found(tmp_path):
    for model in "ab":
        text = "id,label,answer\n" + "".join(f"{i},x,x\n" for i in range(5))
        archive(tmp_path / f"{model}.csv.zip", {f"{model}.csv": text})
    assert read(tmp_path).model_ids == ["a", "b"]


@pytest.mark.parametrize(
    ("members", "listing"),
    [({"a.csv": TEXT, "b.csv": TEXT}, "'a.csv', 'b.csv'"), ({"a.parquet": "x"}, "'a.parquet'"), ({}, "nothing")],
)
def test_a_zip_archive_of_anything_else_is_refused_with_its_cure(members, listing, tmp_path):
    path = archive(tmp_path / "t.csv.zip", members or {"empty/": ""})
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path} is a zip archive of {listing}; expected one file of text such as .csv or .tsv in it; "
        "unpack it and read what it holds."
    )


@pytest.mark.parametrize("suffix", [*PACKERS, ".zip"])
def test_a_small_file_that_unfolds_without_end_is_refused(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MIN_BOUND", 1 << 20)
    text = "id,label,a,b\n" + "q,x,x,y\n" * (1 << 20)
    path = tmp_path / f"t.csv{suffix}"
    if suffix == ".zip":
        archive(path, {"t.csv": text})
    else:
        path.write_bytes(PACKERS[suffix](text.encode()))
    with pytest.raises(InputError, match=r"unfolds to more than \d+ MiB; expected at most 250 times its own size; if"):
        open_table(path).load(["a"])


def test_a_header_of_one_endless_name_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("x" * 200_000 + ",label,a\n1,2,3\n")
    with pytest.raises(InputError, match=r"its first line 'x+…' has 200,008 characters; expected a header with column"):
        read(tmp_path / "t.csv")
