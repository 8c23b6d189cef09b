"""Tables that are larger than memory: Parquet files read in parts, and everything that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import polyculture as pc
from polyculture.auditing import audit
from polyculture.errors import FileError, InputError
from polyculture.formats.tables import parquet_layout
from polyculture.formats.tables.shards import Shard, read_shards
from polyculture.predictions import Predictions

MODELS = [f"m{k}" for k in range(6)]
KINDS = [
    "whole numbers",
    "names",
    "gaps",
    "right or wrong",
    "right or wrong, some without label",
    "more answers than labels",
]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some 128 instances in memory at a time."""
    monkeypatch.setattr(parquet_layout, "CELLS", 128 * len(MODELS))


def table(n: int = 700, kind: str = "whole numbers") -> pd.DataFrame:
    rng = np.random.default_rng(8)
    label = rng.integers(0, 4, n)
    hard = rng.random(n) < 0.2
    answers = {m: np.where(hard | (rng.random(n) < 0.2), rng.integers(0, 4, n), label) for m in MODELS}
    frame = pd.DataFrame({"id": [f"i{k}" for k in range(n)], "label": label, "site": rng.integers(0, 50, n)} | answers)
    if kind == "names":
        return frame.replace({c: {k: f"class {k}" for k in range(4)} for c in ("label", *MODELS)})
    if kind == "gaps":
        return frame.assign(**{m: frame[m].mask(rng.random(n) < 0.1) for m in MODELS})
    if kind == "right or wrong":
        return frame.assign(**{m: frame[m] == label for m in MODELS})
    if kind == "right or wrong, some without label":
        known = rng.random(n) < 0.9
        return frame.assign(label=frame["label"].where(known), **{m: frame[m] == label for m in MODELS})
    if kind == "more answers than labels":
        return frame.assign(m0=np.where(np.arange(n) == n - 1, 9, frame["m0"]))
    return frame


def write_rows(folder: Path, frame: pd.DataFrame, ends: list[int]) -> Path:
    folder.mkdir()
    for k, (i, j) in enumerate(zip([0, *ends], [*ends, len(frame)], strict=True)):
        frame.iloc[i:j].to_parquet(folder / f"part-{k}.parquet", index=False, row_group_size=90)
    return folder


def write_columns(folder: Path, frame: pd.DataFrame, sizes: tuple[int, ...] = (90, 90, 90)) -> Path:
    """Two models in each file; the labels in the first one only."""
    folder.mkdir()
    for k, size in enumerate(sizes):
        shared = ["id", "label", "site"] if k == 0 else ["id"]
        part = frame[[*shared, *MODELS[2 * k : 2 * k + 2]]]
        part.to_parquet(folder / f"part-{k}.parquet", index=False, row_group_size=size)
    return folder


def together(shards: tuple[Shard, ...]) -> tuple[np.ndarray, list[str], int]:
    """Cells of all chunks one after another, the ids, and how many instances the largest chunk has."""
    chunks = [chunk for shard in shards for chunk in shard]
    cells = [c.answers if c.answers is not None else c.correct for c in chunks]
    ids = [str(i) for c in chunks for i in c.instances.index]
    return np.concatenate(cells, axis=1), ids, max(c.shape[1] for c in chunks)


def numbers(audit: pc.Audit) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(audit.to_json())
    found["facts"].pop("seconds")
    return found


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout_", ["one file", "rows", "columns", "columns in other row groups"])
def test_what_is_read_in_parts_is_what_is_read_at_once(tmp_path: Path, kind: str, layout_: str) -> None:
    frame, options = table(kind=kind), {"groups": ["site"], "correct": kind.startswith("right or wrong")}
    frame.to_parquet(tmp_path / "whole.parquet", index=False, row_group_size=170)
    path = {
        "one file": lambda: tmp_path / "whole.parquet",
        "rows": lambda: write_rows(tmp_path / "rows", frame, [100, 450]),
        "columns": lambda: write_columns(tmp_path / "columns", frame),
        "columns in other row groups": lambda: write_columns(tmp_path / "columns", frame, (90, 200, 333)),
    }[layout_]()
    whole, shards = pc.read(tmp_path / "whole.parquet", **options), read_shards(path, **options)
    cells, ids, largest = together(shards)
    np.testing.assert_array_equal(cells, whole.answers if whole.answers is not None else whole.correct)
    assert ids == list(whole.instances.index.astype(str))
    assert largest <= 180
    first = next(iter(shards[0]))
    assert (first.model_ids, first.classes) == (whole.model_ids, whole.classes)
    assert first.has_fixed_classes == whole.has_fixed_classes
    assert (first.labels is None) == (whole.labels is None)
    assert list(first.instances["site"]) == list(whole.instances["site"][: first.shape[1]])


@pytest.mark.usefixtures("small_chunks")
def test_an_audit_does_not_depend_on_how_the_files_are_cut(tmp_path: Path) -> None:
    frame = table(kind="gaps")
    found = [
        numbers(audit(read_shards(path)))
        for path in (
            write_rows(tmp_path / "rows", frame, [333]),
            write_rows(tmp_path / "more", frame, [10, 200, 600]),
            write_columns(tmp_path / "columns", frame),
        )
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.usefixtures("small_chunks")
def test_without_ids_instances_are_counted_through_all_files(tmp_path: Path) -> None:
    shards = read_shards(write_rows(tmp_path / "rows", table().drop(columns=["id", "site"]), [100, 450]))
    assert together(shards)[1] == [str(k) for k in range(700)]


@pytest.mark.usefixtures("small_chunks")
def test_true_and_one_are_the_same_wherever_they_stand(tmp_path: Path) -> None:
    """Cells that are booleans in one file and 0/1 in the other."""
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 2, 200) for name in ("label", "a", "b")}
    first, second = (pd.DataFrame({k: v[at] for k, v in columns.items()}) for at in (slice(100), slice(100, None)))
    (tmp_path / "t").mkdir()
    first.astype(bool).to_parquet(tmp_path / "t" / "0.parquet")
    second.to_parquet(tmp_path / "t" / "1.parquet")
    cells, _, _ = together(read_shards(tmp_path / "t"))
    np.testing.assert_array_equal(cells, [columns["a"], columns["b"]])


def test_a_table_about_models_is_taken_along(tmp_path: Path) -> None:
    (tmp_path / "models.csv").write_text("model,family\n" + "".join(f"{m},{m[-1]}\n" for m in MODELS))
    path = write_rows(tmp_path / "rows", table(), [100])
    shards = read_shards(path, factors=tmp_path / "models.csv", groups="site")
    assert all(list(chunk.models["family"].astype(str)) == [m[-1] for m in MODELS] for s in shards for chunk in s)


def test_only_the_models_that_are_asked_for_are_read(tmp_path: Path) -> None:
    shards = read_shards(write_rows(tmp_path / "rows", table(), [100]), models="m[0-2]", groups="site")
    assert next(iter(shards[0])).model_ids == ["m0", "m1", "m2"]


def test_files_of_other_models_and_the_same_ones_are_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows", table(), [100])
    table()[["id", "label", "site", "m0", "m1", "other"][:5]].to_parquet(path / "part-2.parquet")
    with pytest.raises(InputError) as caught:
        read_shards(path)
    assert str(caught.value) == (
        f"{path / 'part-2.parquet'} has no column 'm2' but {path / 'part-0.parquet'} has; expected the same columns in "
        "every file, or different models of the same instances in each."
    )


def test_other_models_of_other_instances_are_refused(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "columns", table(), (90,))
    table(500)[["id", "m2", "m3"]].to_parquet(path / "part-1.parquet")
    with pytest.raises(InputError) as caught:
        read_shards(path, groups="site")
    assert str(caught.value) == (
        f"{path / 'part-0.parquet'} has 700 rows but {path / 'part-1.parquet'} has 500; expected the same instances in "
        "files with different models."
    )


def test_models_whose_instances_come_in_another_order_are_refused(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "columns", table(), (90,))
    table()[["id", "m2", "m3"]].iloc[::-1].to_parquet(path / "part-1.parquet", index=False, row_group_size=90)
    with pytest.raises(InputError) as caught:
        list(read_shards(path, groups="site")[0])
    assert str(caught.value) == (
        f"column 'id' is not the same in {path / 'part-0.parquet'} and {path / 'part-1.parquet'}; expected the same "
        "instances in the same order in both."
    )


def test_a_file_that_ends_too_early_is_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows", table(), [100, 450])
    cut = path / "part-1.parquet"
    cut.write_bytes(cut.read_bytes()[:-50])
    with pytest.raises(FileError) as caught:
        read_shards(path)
    assert str(caught.value) == f"{cut} is not a complete Parquet file: it ends too early; copy or write it again."


def test_a_file_that_is_damaged_inside_is_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows", table(), [100])
    bad = path / "part-1.parquet"
    raw = bytearray(bad.read_bytes())
    raw[4 : len(raw) // 2] = bytes(len(raw) // 2 - 4)
    bad.write_bytes(raw)
    with pytest.raises(FileError, match=f"^{bad} is not a complete Parquet file: "):
        read_shards(path)


def test_a_folder_without_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        read_shards(tmp_path)
    assert str(caught.value) == f"{tmp_path} holds no Parquet file; expected a folder of files that end in .parquet."


def test_a_row_per_answer_is_refused(tmp_path: Path) -> None:
    long = pa.table({"id": [1, 1], "model": ["a", "b"], "answer": [0, 1], "label": [1, 1]})
    pq.write_table(long, tmp_path / "long.parquet")
    with pytest.raises(InputError) as caught:
        read_shards(tmp_path / "long.parquet")
    assert str(caught.value) == (
        f"{tmp_path / 'long.parquet'} has a row per answer; expected a row per instance and a column per model; "
        "make it wide."
    )


def test_a_table_without_labels_complains_as_in_one_piece(tmp_path: Path) -> None:
    table().drop(columns=["id", "site", "label"]).to_parquet(tmp_path / "t.parquet")
    messages = []
    for read in (pc.read, read_shards):
        with pytest.raises(InputError) as caught:
            read(tmp_path / "t.parquet")
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_chunks_are_predictions_that_can_be_gone_through_again(tmp_path: Path) -> None:
    shards = read_shards(write_rows(tmp_path / "rows", table(), [100]), groups="site")
    for _ in range(2):
        assert all(isinstance(chunk, Predictions) for shard in shards for chunk in shard)
