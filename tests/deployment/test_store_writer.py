"""The writer never makes the server wait, loses nothing but the last batch window, and outlives its store."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from polyculture.deployment.store import (
    AnswerRecord,
    EventRecord,
    Masking,
    Store,
    VersionNames,
    Writer,
    WriterOptions,
    open_store,
)
from polyculture.errors import InputError

DEADLINE_S = 60.0


def records(start: int, count: int, **changes: Any) -> list[AnswerRecord]:
    values: dict[str, Any] = {"version": "v1", "answer": 1, "member_answers": (1, 2, 1)} | changes
    return [AnswerRecord(id=str(k), time=float(k), **values) for k in range(start, start + count)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ids(store: Store) -> list[int]:
    return [int(key) for piece in store.since() for key in piece.ids]


def test_what_is_put_is_in_the_store_after_the_window(store_url: str) -> None:
    with open_store(store_url) as store, Writer(store, names=VersionNames("v1", classes=("a", "b"))) as writer:
        for start in range(0, 1200, 100):
            writer.put(records(start, 100))
        wait_for(lambda: writer.health().written == 1200)  # without flush
        assert ids(store) == list(range(1200))
        expected = {"state": "ok", "url": store.name, "queued": 0, "written": 1200, "dropped": 0, "refused": 0}
        assert writer.health().as_dict() == expected | {"since": None, "reason": ""}
        assert store.versions()["v1"].classes == ("a", "b")
        writer.put_event(EventRecord(1.0, "alarm", "quorum"))
        assert writer.flush(DEADLINE_S)
        assert [event.name for event in store.events()] == ["quorum"]


def test_closing_writes_what_waits(store_url: str) -> None:
    with open_store(store_url) as store:
        writer = Writer(store, WriterOptions(window_s=1000, batch=10_000))
        writer.put(records(0, 20_000))
        assert writer.close(DEADLINE_S)
        assert ids(store) == list(range(20_000))


def test_several_writers_in_threads_and_readers_lose_nothing(store_url: str) -> None:
    with open_store(store_url) as store:
        writers = [Writer(Store(store_url)) for _ in range(3)]
        followed: list[int] = []
        position: dict[int, int] = {}

        def write(k: int) -> None:
            for start in range(0, 2_000, 20):
                writers[k].put(records(100_000 * k + start, 20))

        threads = [threading.Thread(target=write, args=(k,)) for k in range(3)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + DEADLINE_S
        while len(followed) < 6_000 and time.monotonic() < deadline:
            followed += [int(key) for piece in store.following(position, chunk=150) for key in piece.ids]
        for thread in threads:
            thread.join()
        assert all(writer.close(DEADLINE_S) for writer in writers)
        for writer in writers:
            writer.store.close()
        expected = sorted(100_000 * k + j for k in range(3) for j in range(2_000))
        assert sorted(followed) == expected
        assert sorted(ids(store)) == expected


WRITING = """
import sys
from polyculture.deployment.store import AnswerRecord, Writer, open_store
writer = Writer(open_store(sys.argv[1]))
k = int(sys.argv[2])
while True:
    writer.put([AnswerRecord(id=str(j), time=float(j), version="v1", answer=1) for j in range(k, k + 50)])
    k += 50
    if k % 500 == 0 and writer.flush():
        print(k, flush=True)
"""


def test_killing_the_process_loses_nothing_that_was_flushed(store_url: str) -> None:
    for attempt in range(4):
        command = [sys.executable, "-c", WRITING, store_url, str(attempt * 1_000_000)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(3 + 2 * attempt):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        lines = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        with open_store(store_url) as store:
            stored = [key for key in ids(store) if key >= attempt * 1_000_000]
        flushed = int(lines[-1]) if lines else attempt * 1_000_000 + 500 * (3 + 2 * attempt)
        assert stored == list(range(attempt * 1_000_000, attempt * 1_000_000 + len(stored)))  # a prefix, each once
        assert len(stored) >= flushed - attempt * 1_000_000


FORKING = """
import os, sys
from polyculture.deployment.store import AnswerRecord, Writer, open_store
store = open_store(sys.argv[1])
writer = Writer(store)
writer.put([AnswerRecord("1", 1.0, "v1")])
assert writer.flush(60)
child = os.fork()
if not child:
    writer.put([AnswerRecord("2", 2.0, "v1")])
    print(writer.health().dropped, writer.health().state, writer.close(60), writer.health().reason, flush=True)
    try:
        store.counts()
    except OSError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
writer.put([AnswerRecord("3", 3.0, "v1")])
assert writer.close(60)
"""


def test_a_fork_is_told_to_open_its_own_store(store_url: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORKING, store_url], stdout=subprocess.PIPE, text=True, timeout=30)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0] == (
        "1 gone False the process was forked after its writer was started; "
        "open a store, and start its writer, in each process"
    )
    assert "was opened before this process was forked; open a store" in lines[1]
    with open_store(store_url) as store:
        assert ids(store) == [1, 3]


OPENING = """
import sys
from polyculture.deployment.store import AnswerRecord, VersionNames, Writer, open_store
sys.stdin.readline()
with Writer(open_store(sys.argv[1]), names=VersionNames("v1")) as writer:
    for k in range(20):
        writer.put([AnswerRecord(f"{sys.argv[2]}-{k}", 1.0, "v1")])
        writer.flush()
assert writer.health().written == 20, writer.health()
"""


def test_several_processes_open_a_new_store_at_once(store_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENING, store_url, str(k)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for k in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    with open_store(store_url) as store:
        assert store.counts().answers == 80


def test_threads_that_append_to_one_store_lose_nothing(store_url: str) -> None:
    with open_store(store_url) as store:
        parts = [(thread, part) for thread in range(4) for part in range(10)]

        def append(thread: int) -> None:
            for owner, part in parts:
                if owner == thread:
                    store.append(records(100 * thread + 10 * part, 10))

        threads = [threading.Thread(target=append, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ids(store) == list(range(400))


def test_a_folder_that_is_moved_away_and_back(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    store = open_store(str(folder / "answers.sqlite"))
    writer = Writer(store)
    writer.put(records(0, 10))
    assert writer.flush(DEADLINE_S)
    folder.rename(tmp_path / "elsewhere")
    writer.put(records(10, 10))
    wait_for(lambda: writer.health().state == "gone")
    health = writer.health()
    assert health.queued == 10
    assert health.since is not None
    assert "answers.sqlite" in health.reason
    (tmp_path / "elsewhere").rename(folder)
    wait_for(lambda: writer.health().state == "ok" and not writer.health().queued)
    assert ids(store) == list(range(20))
    assert writer.health().reason == ""
    assert writer.close(DEADLINE_S)


def test_a_file_that_is_deleted_is_noticed_and_made_anew(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "answers.sqlite"))
    with Writer(store) as writer:
        writer.put(records(0, 10))
        assert writer.flush(DEADLINE_S)
        for file in tmp_path.glob("answers.sqlite*"):
            file.unlink()
        writer.put(records(10, 10))
        wait_for(lambda: writer.health().written >= 20)
        assert ids(store) == list(range(10, 20))


def test_a_store_that_is_locked_and_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyculture.deployment.store.database.BUSY_S", 0.1)
    path = tmp_path / "answers.sqlite"
    store = open_store(str(path))
    lock = sqlite3.connect(path, isolation_level=None)
    with Writer(store) as writer:
        lock.execute("BEGIN IMMEDIATE")
        writer.put(records(0, 10))
        wait_for(lambda: writer.health().state == "gone")
        assert "locked" in writer.health().reason
        lock.execute("COMMIT")
        wait_for(lambda: writer.health().state == "ok")
    assert ids(store) == list(range(10))
    lock.close()


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_is_full_or_read_only_for_a_while(tmp_path: Path, trouble: str) -> None:
    store = open_store(str(tmp_path / "answers.sqlite"))
    state = {"troubled": True}

    def limit(connection: Any, _record: Any) -> None:
        if state["troubled"]:
            connection.execute("PRAGMA query_only=ON" if trouble == "read-only" else "PRAGMA max_page_count=40")

    sqlalchemy.event.listen(store.database.engine, "connect", limit)
    store.database.dispose()
    with Writer(store, WriterOptions(backlog=8_000)) as writer:
        for start in range(0, 10_000, 100):
            writer.put(records(start, 100))
        wait_for(lambda: writer.health().state == "gone")
        health = writer.health()
        assert ("readonly" if trouble == "read-only" else "full") in health.reason
        wait_for(lambda: writer.health().queued <= 8_000)
        state["troubled"] = False
        store.database.dispose()
        assert writer.flush(DEADLINE_S)
        health = writer.health()
        assert health.state == "ok"
        assert health.written + health.dropped == 10_000
        assert health.dropped <= 2_000
    kept = ids(store)
    assert len(kept) == len(set(kept)) == health.written
    assert kept[-1] == 9_999
    assert store.counts().dropped == health.dropped


def test_a_server_that_stops_and_starts_again(postgres: Any) -> None:
    store = open_store(postgres.new_url("stops"))
    with Writer(store) as writer:
        writer.put(records(0, 100))
        assert writer.flush(DEADLINE_S)
        postgres.stop()
        try:
            writer.put(records(100, 100))
            wait_for(lambda: writer.health().state == "gone")
            assert not writer.flush(0.2)
        finally:
            postgres.start()
        assert writer.flush(DEADLINE_S)
        assert writer.health().state == "ok"
        assert ids(store) == list(range(200))
    store.close()


def test_a_server_whose_connections_are_cut_in_the_middle(postgres: Any) -> None:
    import psycopg

    store = open_store(postgres.new_url("cut"))
    with Writer(store) as writer, psycopg.connect(postgres.url, autocommit=True) as administrator:
        for start in range(0, 3_000, 300):
            writer.put(records(start, 300))
            administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cut'")
        assert writer.flush(DEADLINE_S)
        assert ids(store) == list(range(3_000))
        assert writer.health().written == 3_000
    store.close()


def test_a_store_may_be_away_when_the_server_starts(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    writer = Writer(Store(str(folder / "answers.sqlite")), names=VersionNames("v1", classes=("a",)))
    writer.put(records(0, 5))
    wait_for(lambda: writer.health().state == "gone")
    folder.mkdir()
    assert writer.flush(DEADLINE_S)
    assert writer.close(DEADLINE_S)
    assert ids(writer.store) == list(range(5))
    assert writer.store.versions()["v1"].classes == ("a",)


def test_what_waits_when_the_server_stops_without_a_store_counts_as_dropped(tmp_path: Path) -> None:
    writer = Writer(Store(str(tmp_path / "none" / "answers.sqlite")), WriterOptions(batch=3, backlog=5))
    writer.put(records(0, 20))
    wait_for(lambda: writer.health().state == "gone")
    assert (writer.health().queued, writer.health().dropped) == (5, 15)
    assert not writer.close(0.2)
    assert (writer.health().queued, writer.health().dropped) == (0, 20)


def test_an_answer_that_no_database_takes_does_not_hold_up_the_others(store_url: str) -> None:
    with open_store(store_url) as store, Writer(store, WriterOptions(window_s=0.2)) as writer:
        bad = records(1000, 1, answer=2**70) + records(1001, 1, member_answers=(2**40,))
        writer.put([*records(0, 300), *bad, *records(300, 300)])
        assert writer.flush(DEADLINE_S)
        health = writer.health()
        assert (health.written, health.refused, health.dropped, health.state) == (600, 2, 2, "ok")
        assert health.reason.startswith("an answer was refused")
        assert ids(store) == list(range(600))


def test_large_inputs_count_as_more_answers(tmp_path: Path) -> None:
    writer = Writer(
        Store(str(tmp_path / "none" / "a.sqlite")), WriterOptions(batch=3, backlog=50), Masking(keep_inputs=True)
    )
    writer.put(records(0, 20, inputs={"image": [[0.5] * 28] * 28}))  # some 30 kB each
    assert writer.health().queued <= 2
    assert writer.health().queued + writer.health().dropped == 20
    writer.put(records(20, 40))
    assert 40 <= writer.health().queued <= 42
    assert not writer.close(0.1)
    writer.put(records(60, 5))
    assert (writer.health().queued, writer.health().dropped) == (0, 65)


def test_an_answer_without_a_time_is_refused(store_url: str) -> None:
    with open_store(store_url) as store, Writer(store) as writer:
        writer.put(
            [AnswerRecord("a", float("nan"), "v1"), AnswerRecord("b", 1.0, "v1"), AnswerRecord("c", float("inf"), "v1")]
        )
        assert writer.flush(DEADLINE_S)
        assert (writer.health().written, writer.health().refused) == (1, 2)
        with pytest.raises(InputError, match="answers from nan until inf; expected seconds since 1970"):
            list(store.since(float("nan")))


def test_a_writer_retains_what_it_is_asked_to(store_url: str) -> None:
    with open_store(store_url) as store:
        store.append(records(0, 550))
        with Writer(store, WriterOptions(rows=100)):
            wait_for(lambda: store.counts().answers == 100)
        assert ids(store) == list(range(450, 550))


def test_each_bundle_masks_its_own_fields(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "answers.sqlite"))
    with Writer(store, masking=Masking(keep_inputs=True)) as writer:
        writer.use(VersionNames("v1"), Masking(("name",), key="", keep_inputs=True))
        writer.use(VersionNames("v2"), Masking((), keep_inputs=True))
        writer.put(records(0, 1, inputs={"name": "Ada"}) + records(1, 1, version="v2", inputs={"name": "Bob"}))
    pieces = {piece.names.version: list(piece.inputs) for piece in store.since(inputs=True)}
    assert pieces == {"v1": [{"name": "***"}], "v2": [{"name": "Bob"}]}
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"Bob" in content
    assert b"Ada" not in content


@pytest.mark.parametrize(
    "options", [{"window_s": -1.0}, {"batch": 0}, {"batch": 10, "backlog": 5}, {"window_s": float("nan")}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="a window that is not negative, and 1 ≤ batch ≤ backlog"):
        WriterOptions(**options)
