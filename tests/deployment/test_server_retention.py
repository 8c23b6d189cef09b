"""A server deletes old answers from its store, and only those that it was told to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.deployment.server import ServerOptions
from polyculture.deployment.store import AnswerRecord, open_store
from polyculture.errors import InputError

from .bundles import make_bundle
from .server_process import DEADLINE, rows, running

ONE = rows([[1.0, 2.0, 3.0, 4.0]])
DAY = 86_400.0
YOUNG, OLD = 30, 20
"""Answers of an hour ago, and of ten days ago."""


def filled_store(folder: Path) -> str:
    """URL of a store with old and young answers."""
    url, now = f"sqlite:///{folder}/answers.sqlite", time.time()
    ages = {"old": (10 * DAY, OLD), "young": (3_600.0, YOUNG)}
    with open_store(url) as store:
        for name, (age, count) in ages.items():
            records = [AnswerRecord(f"{name}{i}", now - age + i / 100, "1", 0, quorum=3) for i in range(count)]
            store.append(records)
    return url


def kept(url: str, enough: Callable[[list[str]], bool]) -> list[str]:
    """The ids in a store in the order of time, once there are as many as there should be."""
    deadline = time.monotonic() + DEADLINE
    while True:
        with open_store(url, create=False) as store:
            ids = [str(name) for part in store.since(-math.inf) for name in part.ids]
        if enough(ids):
            return ids
        assert time.monotonic() < deadline, ids
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_latest_rows_are_kept(tmp_path: Path, workers: str) -> None:
    url = filled_store(tmp_path)
    with running(make_bundle(tmp_path / "tiny"), "--store", url, "--keep-rows", "10", "--workers", workers) as server:
        deadline = time.monotonic() + DEADLINE
        sent = 0
        while True:  # until the worker that deletes has written an answer
            assert server.infer(ONE).status == 200
            sent += 1
            with open_store(url, create=False) as store:
                if store.counts().answers < YOUNG:
                    break
            assert time.monotonic() < deadline
        server.stop()
    ids = kept(url, lambda ids: len(ids) >= 10)
    assert len(ids) <= 10 + sent  # the next look is a minute later
    assert not any(name.startswith("old") for name in ids)
    young = [name for name in ids if name.startswith("young")]
    assert young == [f"young{i}" for i in range(YOUNG - len(young), YOUNG)]


@pytest.mark.slow
def test_answers_are_deleted_after_so_many_days(tmp_path: Path) -> None:
    url = filled_store(tmp_path)
    with running(make_bundle(tmp_path / "tiny"), "--store", url, "--keep-days", "1.5") as server:
        assert server.infer(ONE).status == 200
        ids = kept(url, lambda ids: len(ids) == YOUNG + 1)
        assert ids[:YOUNG] == [f"young{i}" for i in range(YOUNG)]
        assert server.stop() == 0


@pytest.mark.slow
def test_all_answers_are_kept_where_nothing_is_said(tmp_path: Path) -> None:
    url = filled_store(tmp_path)
    with running(make_bundle(tmp_path / "tiny"), "--store", url) as server:
        assert server.infer(ONE).status == 200
        assert server.stop() == 0
    assert len(kept(url, lambda ids: len(ids) >= OLD + YOUNG + 1)) == OLD + YOUNG + 1


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("keep_days", 0, "a positive number"),
        ("keep_days", -1.0, "a positive number"),
        ("keep_days", math.nan, "a positive number"),
        ("keep_days", math.inf, "a positive number"),
        ("keep_rows", 0, "a positive number"),
    ],
)
def test_a_period_that_keeps_nothing_is_refused(name: str, value: float, expected: str) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(InputError, match=f"{name} is {value}.*{expected}"):
        ServerOptions(**changes)
    with pytest.raises(InputError, match="there is no store"):
        ServerOptions(**{**changes, name: 5}, store=None)
