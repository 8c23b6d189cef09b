"""What is asked for next, and what is known of the last batch? The state of a query is plain tables in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError
from polyculture.models.encoder import Encoder
from polyculture.rng import stream
from polyculture.stats import plural
from polyculture.training.active import default_committee, find_strategy, fit_committee

from .labelling import (
    ASKED,
    INSTANCE,
    LABELLED,
    LABELS,
    NOBODY_KNOWS,
    TO_LABEL,
    GivenLabels,
    read_labels,
    read_table,
    valid_labels,
    write_table,
)
from .options import QueryOptions
from .pool import UNKNOWN, QueryPool

POOL = "pool.json"
Oracle = Callable[[pd.DataFrame], Sequence[str | None]]
"""From rows of what is seen of the instances to their labels, in order; None where nobody can tell."""


@dataclass(frozen=True, eq=False)
class LabellingRound:
    """The state of a query: what was asked for and what was answered, as its folder has it.

    Parameters
    ----------
    pool : with the labels that it had at the start.
    options : strategy, budget, batch, ….
    folder : of the query.
    """

    pool: QueryPool
    options: QueryOptions
    folder: Path

    @classmethod
    def open(cls, pool: QueryPool, options: QueryOptions, folder: Path) -> LabellingRound:
        """The query in this folder; InputError where the folder belongs to another pool."""
        path, fingerprint = folder / POOL, {"format": 1, "pool": pool.fingerprint, "classes": list(pool.classes)}
        if path.is_file():
            try:
                stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise FileError(f"cannot read {path}: {error}", "the file that query writes") from error
            if stored != fingerprint:
                wrong = f"{folder} was made for another pool than {pool.name}, or for other classes"
                raise InputError(wrong, "the same instances and classes", "name another folder with --out")
        else:
            if (pool.labels != UNKNOWN).all():
                raise InputError(
                    f"all {plural(len(pool), 'row')} of the pool {pool.name} have a label",
                    "rows without a label, to ask for",
                    "set simulate (--simulate) to compare strategies on it",
                )
            folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{POOL}.{os.getpid()}")
            temporary.write_text(json.dumps(fingerprint, ensure_ascii=False), encoding="utf-8")
            temporary.replace(path)
        return cls(pool, options, folder)

    @cached_property
    def asked_for(self) -> pd.DataFrame:
        """A row per instance that was asked for: id, batch, strategy, the committee's answer and those of members."""
        path = self.folder / ASKED
        return read_table(path) if path.is_file() else pd.DataFrame({INSTANCE: [], "batch": []}, dtype=object)

    @cached_property
    def answers(self) -> dict[str, str]:
        """Label of each instance that was answered; a question mark where nobody could tell."""
        path = self.folder / LABELS
        if not path.is_file():
            return {}
        table = read_table(path)
        return dict(zip(table[INSTANCE], table["label"], strict=True))

    @property
    def batch(self) -> list[str]:
        """Ids of the last batch."""
        table = self.asked_for
        return table[INSTANCE][table["batch"] == table["batch"].iloc[-1]].tolist() if len(table) else []

    @property
    def pending(self) -> list[str]:
        """Ids of the last batch that have no answer."""
        return [name for name in self.batch if name not in self.answers]

    @cached_property
    def labelled_pool(self) -> QueryPool:
        """The pool with all labels that are known."""
        return self.pool.with_labels(self.answers)

    def take(self, given: GivenLabels) -> LabellingRound:
        """The query with these labels stored, those of earlier batches unchanged."""
        answers = {**self.answers, **given.labels}
        batches = dict(zip(self.asked_for[INSTANCE], self.asked_for["batch"], strict=True))
        order = [name for name in self.asked_for[INSTANCE] if name in answers]
        columns = {INSTANCE: order, "label": [answers[name] for name in order]}
        write_table(pd.DataFrame(columns | {"batch": [batches[name] for name in order]}), self.folder / LABELS)
        return LabellingRound(self.pool, self.options, self.folder)

    def read(self) -> GivenLabels:
        """What came back in the file of the batch; the file is written where it is not there."""
        path = self.folder / TO_LABEL
        if not path.is_file():
            self.write_batch()
        return read_labels(path, self.pool.column, self.batch, self.pool.classes)

    def ask(self, oracle: Oracle) -> GivenLabels:
        """What the oracle answers about what is pending; InputError for another number of labels, or invalid ones."""
        labels = list(oracle(self.pool.frame.loc[self._index(self.pending)]))
        if len(labels) != len(self.pending):
            raise InputError(
                f"{len(labels)} labels for {plural(len(self.pending), 'instance')}", "one for each, in order"
            )
        rows = [(i, NOBODY_KNOWS if x is None else str(x)) for i, x in zip(self.pending, labels, strict=True)]
        given = valid_labels(rows, self.pending, self.pool.classes, "the oracle")
        if not given.complete:
            self.take(given)
            problem = given.problems[0] if given.problems else f"the oracle has no label for {given.blank[0]!r}."
            raise InputError(problem.rstrip("."), "a class, or None where nobody can tell")
        return given

    def next_batch(self) -> LabellingRound:
        """The query with one more batch asked for; unchanged where budget or pool is spent."""
        pool, o = self.labelled_pool, self.options
        asked_before = {*self.asked_for[INSTANCE]}
        names = pool.ids
        open_rows = [row for row in range(len(pool)) if pool.labels[row] < 0 and names[row] not in asked_before]
        candidates = np.array(open_rows, np.int64)
        size = min(self._size(len(asked_before)), len(candidates))
        if size <= 0:
            return self
        positions, columns = self._choice(pool, candidates, size)
        batch = len(set(self.asked_for["batch"])) + 1
        rows = pd.DataFrame({INSTANCE: [names[row] for row in candidates[positions]], "batch": str(batch), **columns})
        write_table(pd.concat([self.asked_for, rows], ignore_index=True).fillna(""), self.folder / ASKED)
        query = LabellingRound(self.pool, o, self.folder)
        query.write_batch()
        return query

    def _size(self, bought: int) -> int:
        """Labels of the next batch; the first of a pool without labels is as large as `initial`."""
        if not bought and not len(self.pool.labelled):
            return self.options.first(len(self.pool.classes))
        return self.options.next_size(bought)

    def _choice(
        self, pool: QueryPool, candidates: Int[np.ndarray, " u"], size: int
    ) -> tuple[Int[np.ndarray, " k"], dict[str, Any]]:
        """Positions among the candidates, and what is noted of each: strategy, answers of committee and members."""
        o, strategy = self.options, find_strategy(self.options.strategy)
        generator = stream(o.seed, "query", o.strategy, len(self.asked_for))
        labelled = pool.dataset(pool.labelled)
        if len(np.unique(labelled.labels)) < 2:
            return generator.permutation(len(candidates))[:size].astype(np.int64), {"strategy": "random"}
        recipes = tuple(o.committee) or default_committee(pool.modality)
        encoder = Encoder.of(pool_inputs(pool))
        committee = fit_committee(recipes, labelled, encoder=encoder, calibrated=strategy.calibrated, seed=o.seed)
        inputs = pool.inputs[candidates]
        positions = strategy.choose(committee, inputs, size, generator, o.candidates, o.by_chance(pool.modality))
        probabilities = committee(inputs[positions])
        mean, classes = probabilities.mean(axis=0), np.array(pool.classes, object)
        columns = {"strategy": o.strategy, "committee": classes[mean.argmax(axis=1)]}
        columns |= {"probability": [f"{p:.4f}" for p in mean.max(axis=1)]}
        members = zip(committee.members, probabilities, strict=True)
        return positions, columns | {name: classes[output.argmax(axis=1)] for name, output in members}

    def batch_table(self) -> pd.DataFrame:
        """What is to be labelled, as people see it; empty where nothing is."""
        return self._table(self.pending, [""] * len(self.pending)) if self.pending else pd.DataFrame()

    def write_batch(self) -> None:
        """Write the table to fill in, with the labels that are known of it."""
        ids = self.batch
        write_table(self._table(ids, [self.answers.get(name, "") for name in ids]), self.folder / TO_LABEL)

    def write_labelled(self) -> None:
        """Write the pool with all labels that are known."""
        pool = self.labelled_pool
        names = [pool.classes[code] if code >= 0 else "" for code in pool.labels]
        write_table(self._table(pool.ids, names), self.folder / LABELLED)

    def _table(self, ids: Sequence[str], labels: Sequence[str]) -> pd.DataFrame:
        """Instances as people see them, with the column of labels at the end."""
        frame = self.pool.frame.loc[self._index(ids)].reset_index(drop=True)
        frame = frame.drop(columns=[name for name in (INSTANCE, self.pool.column) if name in frame])
        frame.insert(0, INSTANCE, list(ids))
        return frame.assign(**{self.pool.column: list(labels)})

    def _index(self, ids: Sequence[str]) -> pd.Index:
        place = {name: row for row, name in enumerate(self.pool.ids)}
        return self.pool.frame.index[[place[name] for name in ids]]


def pool_inputs(pool: QueryPool) -> Dataset:
    """All inputs of the pool as a dataset whose labels mean nothing, for what is learned of inputs alone."""
    return Dataset(pool.inputs, np.zeros(len(pool), np.int64), pool.classes, None, pool.name, pool.modality)
