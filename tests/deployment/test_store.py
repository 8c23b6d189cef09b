"""What is written into a store comes out of it: answers, labels and events, in SQLite and in PostgreSQL."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polyculture.deployment.store import AnswerRecord, EventRecord, Masking, Store, VersionNames, open_store
from polyculture.errors import FileError, InputError

NAMES = VersionNames("v1", "classification", ("cat", "dog", "7"), ("a", "b", "c"))


def record(number: int, **changes: object) -> AnswerRecord:
    values: dict[str, object] = {
        "id": f"id-{number}",
        "time": float(number),
        "version": "v1",
        "answer": number % 3,
        "confidence": 0.5,
        "member_answers": (number % 3, -1, 2),
        "disagreement": 0.5,
        "quorum": 2,
        "latency_ms": 1.25,
    }
    return AnswerRecord(**(values | changes))  # type: ignore[arg-type]


def test_records_come_back_as_they_were(store_url: str) -> None:
    first = record(
        1,
        groups={"site": "A", "sex": "ü"},
        profile=(0.1, math.nan, 16777217.0),
        inputs={"x": np.float32(0.5), "t": "ß"},
    )
    with open_store(store_url) as store:
        store.register(NAMES)
        store.append([first, record(2, shadow=True, answer=-1, confidence=math.nan, disagreement=math.nan)])
        rich, plain = sorted(store.since(inputs=True), key=lambda piece: piece.times[0])
    assert rich.names == NAMES
    assert rich.ids.tolist() == ["id-1"]
    assert rich.member_answers.tolist() == [[1, -1, 2]]
    assert {column: groups.tolist() for column, groups in rich.groups.items()} == {"site": ["A"], "sex": ["ü"]}
    np.testing.assert_array_equal(rich.profile, [[0.1, math.nan, 16777217.0]])
    assert list(rich.inputs) == [{"x": 0.5, "t": "ß"}]
    assert (rich.answers.tolist(), rich.quorum.tolist(), rich.latency_ms.tolist()) == ([1], [2], [1.25])
    assert plain.shadow.tolist() == [True]
    assert plain.answers.tolist() == [-1]
    assert math.isnan(plain.confidence[0])
    assert plain.labels.tolist() == [-1]
    assert list(plain.inputs) == [None]


def test_regression_keeps_numbers_and_their_labels(store_url: str) -> None:
    with open_store(store_url) as store:
        store.register(VersionNames("r", "regression", (), ("a", "b")))
        values = {"version": "r", "answer": -1, "member_answers": ()}
        store.append([record(k, **values, value=k / 3, member_values=(k / 7, math.nan)) for k in range(3)])
        store.label(["id-1", "id-2"], [0.1, "2"])
        (piece,) = store.since()
        with pytest.raises(InputError, match=r"label 1 is 'inf'; expected a finite number"):
            store.label(["id-1"], [math.inf])
        with pytest.raises(InputError, match=r"label 2 is 'cat'; expected a finite number"):
            store.label(["id-1", "id-2"], [1, "cat"])
    np.testing.assert_array_equal(piece.values, [0, 1 / 3, 2 / 3])
    np.testing.assert_array_equal(piece.member_values, [[0, math.nan], [1 / 7, math.nan], [2 / 7, math.nan]])
    np.testing.assert_array_equal(piece.label_values, [math.nan, 0.1, 2.0])
    assert piece.member_answers.shape == (3, 0)


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_chunks_are_in_the_order_of_time_and_add_up(store_url: str, chunk: int) -> None:
    times = [3.0, 1.0, 2.0, 2.0, 2.0, 9.0, 1.0, 4.0, 4.0, 0.0]
    with open_store(store_url) as store:
        store.append([record(k, time=time) for k, time in enumerate(times)])
        pieces = list(store.since(1.0, until=9.0, chunk=chunk))
        assert [time for piece in pieces for time in piece.times] == [1, 1, 2, 2, 2, 3, 4, 4]
        assert {key for piece in pieces for key in piece.ids} == {f"id-{k}" for k in (0, 1, 2, 3, 4, 6, 7, 8)}
        position: dict[int, int] = {}
        followed = [key for piece in store.following(position, chunk=chunk) for key in piece.ids]
        assert followed == [f"id-{k}" for k in range(10)]
        assert list(store.following(position)) == []
        store.append([record(10, time=-5.0)])
        assert [key for piece in store.following(position) for key in piece.ids] == ["id-10"]
        assert position == store.position()


def test_answers_of_two_bundles_come_in_pieces_of_their_own(store_url: str) -> None:
    other = VersionNames("v2", "classification", ("dog", "cat"), ("a",))
    with open_store(store_url) as store:
        store.register(NAMES)
        store.register(other)
        store.append([record(1), record(2, version="v2", member_answers=(1,)), record(3)])
        store.label(["id-1", "id-2", "id-3"], ["dog", "cat", "7"])
        pieces = {piece.names.version: piece for piece in store.since()}
    assert pieces["v1"].ids.tolist() == ["id-1", "id-3"]
    assert pieces["v1"].labels.tolist() == [1, 2]
    assert pieces["v2"].labels.tolist() == [1]
    assert pieces["v2"].member_answers.tolist() == [[1]]


def test_a_label_of_a_class_that_a_bundle_does_not_know_is_no_missing_label(store_url: str) -> None:
    with open_store(store_url) as store:
        store.register(NAMES)
        store.register(VersionNames("v2", "classification", ("cat", "fox"), ("a", "b", "c")))
        store.append([record(1), record(2)])
        store.label(["id-1"], ["fox"])
        (piece,) = store.since()
    assert piece.labels.tolist() == [-2, -1]


def test_labels_may_come_before_their_answers_and_change(store_url: str) -> None:
    with open_store(store_url) as store:
        store.register(NAMES)
        report = store.label(["id-1", "id-2"], ["cat", "dog"])
        assert (report.matched, report.pending, report.changed) == (0, 2, 0)
        assert store.counts().pending == 2
        store.append([record(1), record(2), record(3)])
        assert store.counts().pending == 0
        report = store.label(["id-1", "id-2", "nobody"], [7.0, "dog", "cat"])
        assert (report.matched, report.pending, report.changed) == (2, 1, 1)
        assert report.sentence == (
            "3 labels: 2 have an answer, 1 of an id that is not known yet; 1 replaced another label."
        )
        (piece,) = store.since()
        assert piece.labels.tolist() == [2, 1, -1]
        found = [key for part in store.find(["id-3", "id-1", "x"]) for key in part.ids]
        assert found == ["id-1", "id-3"]


def test_arrays_and_series_are_ids_and_labels(store_url: str) -> None:
    import pandas as pd

    with open_store(store_url) as store:
        store.register(NAMES)
        store.append([record(k, id=str(k)) for k in range(4)])
        assert store.label(np.arange(2), np.array(["cat", "dog"])).matched == 2
        assert store.label(pd.Series(["2", "3"]), pd.Series([7.0, 7.0]), np.array([1.0, 2.0])).matched == 2
        (piece,) = store.find(np.array(["0", "1", "2", "3"]))
        assert piece.labels.tolist() == [0, 1, 2, 2]


def test_of_two_labels_the_later_one_counts_in_whatever_order_they_come(store_url: str) -> None:
    with open_store(store_url) as store:
        store.register(NAMES)
        store.append([record(1)])
        store.label(["id-1"], ["dog"], [200.0])
        report = store.label(["id-1"], ["cat"], [100.0])
        assert (report.earlier, report.changed) == (1, 0)
        (piece,) = store.since()
        assert (piece.labels.tolist(), piece.label_times.tolist()) == ([1], [200.0])
        report = store.label(["id-1", "id-1"], ["cat", "7"], [300.0, 250.0])
        assert (report.changed, report.earlier) == (1, 1)
        (piece,) = store.since()
        assert piece.labels.tolist() == [0]
        (piece,) = store.labelled_since(0.0)
        assert piece.ids.tolist() == ["id-1"]
        assert list(store.labelled_since(4e9)) == []


def test_a_label_that_is_no_class_is_refused_before_anything_is_written(store_url: str) -> None:
    with open_store(store_url) as store:
        with pytest.raises(InputError, match="has no answers yet, so the classes are not known"):
            store.label(["id-1"], ["cat"])
        store.register(NAMES)
        with pytest.raises(
            InputError, match=r"label 2 is 'cta', which is no class of the bundle; .*did you mean 'cat'\?"
        ):
            store.label(["id-1", "id-2"], ["dog", "cta"])
        with pytest.raises(InputError, match="there are 2 ids and 1 labels"):
            store.label(["id-1", "id-2"], ["dog"])
        with pytest.raises(InputError, match="a time of a label is not finite"):
            store.label(["id-1"], ["dog"], [math.nan])
        assert store.counts().labels == 0


def test_texts_that_no_database_holds_are_written_with_a_mark(store_url: str) -> None:
    with open_store(store_url) as store:
        store.register(NAMES)
        store.append([record(1, id="a\x00b"), record(2, id="c\ud800"), record(3, id="'; DROP TABLE answers; --")])
        (piece,) = store.since()
        assert piece.ids.tolist() == ["a\ufffdb", "c\ufffd", "'; DROP TABLE answers; --"]
        assert store.label(["a\x00b", "c\ud800"], ["cat", "dog"]).matched == 2


def test_a_batch_that_is_written_twice_is_there_once(store_url: str) -> None:
    from polyculture.deployment.store.columns import row_of

    rows = [row_of(5, k, record(k)) for k in range(1, 4)]
    with open_store(store_url) as store:
        store.write(rows[:2])
        store.write(rows)
        assert store.counts().answers == 3
        assert store.position() == {5: 3}


def test_retention_by_days_and_by_rows(store_url: str) -> None:
    day = 86_400.0
    with open_store(store_url) as store:
        store.register(NAMES)
        store.append([record(k, time=k * day) for k in range(10)] + [record(0, time=9 * day)])
        store.label([f"id-{k}" for k in range(12)], ["cat"] * 12)
        store.append_events([EventRecord(0.0, "start"), EventRecord(9 * day, "alarm", "quorum", {"n": 3})])
        assert store.retain(days=5, now=10 * day, limit=2) == 2
        assert store.retain(days=5, now=10 * day) == 3
        assert sorted(key for piece in store.since() for key in piece.ids) == [
            "id-0",
            *(f"id-{k}" for k in range(5, 10)),
        ]
        assert [event.details for event in store.events()] == [{"n": 3}]
        assert store.counts().labels == 8  # id-0 has another answer; 10 and 11 are pending, and not old
        assert store.retain(rows=2) == 4
        assert store.retain(rows=2) == 0
        assert [time for piece in store.since() for time in piece.times] == [9 * day, 9 * day]
        with pytest.raises(InputError, match="rows to retain is -1"):
            store.retain(rows=-1)


def test_two_stores_on_one_database_share_it(store_url: str) -> None:
    with open_store(store_url) as first, open_store(store_url) as second:
        first.append([record(1)])
        second.append([record(2)])
        first.append([record(3)])
        assert first.counts() == second.counts()
        assert first.counts().answers == 3
        assert len(first.position()) == 2


def test_a_newer_schema_is_refused(store_url: str) -> None:
    from sqlalchemy import text

    with open_store(store_url) as store, store.database.engine.begin() as connection:
        connection.execute(text("UPDATE polyculture_store SET schema = 2"))
    with pytest.raises(
        InputError, match=r"has schema 2; expected schema 1; install the version of polyculture that wrote it"
    ):
        open_store(store_url)


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@h/d", "sqlite://", "sqlite:///:memory:", "", "http://u:secret@h", "://"]
)
def test_what_is_no_store_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InputError, match=r"expected a file, sqlite:///answers\.sqlite or postgresql://") as refusal:
        open_store(url)
    assert "secret" not in str(refusal.value)


def test_files_that_are_no_stores_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("id,label\n" * 200)
    with pytest.raises(FileError, match="cannot be used: file is not a database"):
        open_store(str(text))
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE labels (id)")
    with pytest.raises(InputError, match="has a table 'labels' that is of no store"):
        open_store(str(other))
    with pytest.raises(FileError, match=r"there is no store .*absent\.sqlite"):
        open_store(str(tmp_path / "absent.sqlite"), create=False)
    with pytest.raises(FileError, match="unable to open database file"):
        open_store(str(tmp_path / "no" / "folder.sqlite"))
    assert not (tmp_path / "absent.sqlite").exists()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(FileError, match="cannot be used") as refusal:
        open_store("postgresql://user:secret@127.0.0.1:1/none")
    assert "secret" not in str(refusal.value)
    assert "secret" not in Store("postgresql://user:secret@127.0.0.1:1/none").name


def test_masked_fields_never_leave_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYCULTURE_MASK_KEY", raising=False)
    names = ("age", "income", "age:missing")
    original = record(
        1,
        inputs={"age": 44, "rows": [{"age": 1, "b": 2}]},
        groups={"age": "40s", "site": "A"},
        profile=(44.0, 2.0, 0.0),
    )
    starred = Masking(("age",), keep_inputs=True, profile=names).masked(original)
    assert starred.inputs == {"age": "***", "rows": [{"age": "***", "b": 2}]}
    assert starred.groups == {"age": "***", "site": "A"}
    np.testing.assert_array_equal(starred.profile, [math.nan, 2.0, math.nan])
    assert Masking(("age",)).masked(original).inputs is None
    assert Masking().masked(record(1)) == record(1)
    hashed = [Masking(("age",), key, True).masked(original).inputs for key in ("k", "k", "other")]
    assert hashed[0] == hashed[1] != hashed[2]
    assert hashed[0] is not None
    assert len(hashed[0]["age"]) == 24
    monkeypatch.setenv("POLYCULTURE_MASK_KEY", "k")
    assert Masking(("age",), keep_inputs=True).masked(original).inputs == hashed[0]


def test_the_store_loads_no_pandas(tmp_path: Path) -> None:
    code = (
        "import sys; from polyculture.deployment.store import *\n"
        f"s = open_store({str(tmp_path / 'a.sqlite')!r}); w = Writer(s)\n"
        "w.put([AnswerRecord('a', 0., '1')]); w.close()\n"
        "assert len(next(s.since())) == 1\n"
        "print(*(m for m in ('pandas', 'torch', 'sklearn', 'pyarrow') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_examples_of_the_store_run() -> None:
    import doctest

    from polyculture.deployment.store import labels, masking, store, writer

    results = [doctest.testmod(module) for module in (labels, masking, store, writer)]
    assert [result.failed for result in results] == [0, 0, 0, 0]
    assert all(result.attempted for result in results)
