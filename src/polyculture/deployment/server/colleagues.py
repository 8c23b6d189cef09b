"""What do the workers of a server tell each other? One watches for all of them; each says how it is itself.

They share a folder of small JSON files, each written by one process and replaced as a whole. The files of a worker that
has ended stay: what it counted goes on counting.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

WATCHED = "watch.json"
FRESH = 10.0
"""Seconds for which a worker is believed that its store is away, or that answers wait."""
_STATES = ("off", "ok", "behind", "gone")


class Colleagues:
    """The workers of a server that have a store in common.

    Parameters
    ----------
    folder : that they share.
    number : of this worker, from 1: the first one watches the answers of all.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._own = folder, folder / f"worker-{os.getpid()}.json"
        self.watches = number == 1

    def say(self, report: Mapping[str, Any]) -> None:
        """Let the others know how this worker is."""
        _replace(self._own, {**report, "time": time.time()})

    def others(self) -> list[dict[str, Any]]:
        """How each other worker is, and was when it ended."""
        paths = sorted(path for path in self._folder.glob("worker-*.json") if path != self._own)
        return [report for report in map(_read, paths) if report]

    def publish(self, status: Mapping[str, Any]) -> None:
        """Let the others know what the watch says."""
        _replace(self._folder / WATCHED, status)

    def watched(self) -> dict[str, Any]:
        """What the watch says; empty before it has said anything."""
        return _read(self._folder / WATCHED)


def counted_together(reports: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """The sums of what several workers count under one name."""
    sums: dict[str, Any] = {}
    for report in reports:
        for key, value in report.get(name, {}).items():
            sums[key] = sums.get(key, 0) + value
    return sums


def stores_together(health: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the store is to all workers: what they wrote and lost together, and the worst that one of them says.

    Parameters
    ----------
    health : of this worker's writer.
    reports : of the others.
    """
    recent = [report["store"] for report in reports if time.time() - report["time"] < FRESH]
    worst = max([health, *recent], key=lambda state: _STATES.index(state["state"]))
    healths = [health, *(report["store"] for report in reports)]
    sums = {name: sum(numbers[name] for numbers in healths) for name in ("written", "dropped", "refused")}
    return {**worst, **sums, "queued": health["queued"] + sum(numbers["queued"] for numbers in recent)}


def _replace(path: Path, document: Mapping[str, Any]) -> None:
    half = path.with_name(f".{path.name}")
    half.write_bytes(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY))
    half.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return document
