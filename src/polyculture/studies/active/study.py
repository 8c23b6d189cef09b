"""Which instances are worth a label next? From a pool and what is labelled to the next batch, or to learning curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.preparation.problems import PROBLEMS, load_problem
from polyculture.preparation.splits import stratified
from polyculture.results import Section
from polyculture.rng import stream
from polyculture.training.active import default_committee

from ..progress import Progress, phase_progress
from ..run_folder import writable_folder
from .labelling import TO_LABEL
from .labelling_round import LabellingRound, Oracle
from .options import QueryOptions
from .pool import QueryPool, pool_of, read_pool
from .section import labelling_section, simulation_section
from .simulation import QueryRun, Simulation

OUT, SECTIONS, RUNS = "polyculture-query", "query.json", "runs"


@dataclass(frozen=True, eq=False)
class QueryResult:
    """The next batch, or what strategies learned.

    Parameters
    ----------
    batch : what is to be labelled, a row per instance; empty where nothing is asked for.
    labels : by instance id, those that were given.
    runs : by strategy a run for each seed; empty where nothing was simulated.
    sections : the answer.
    notes : a sentence for each row of a file of labels that cannot be used; nothing more is asked for until they are
        put right.
    folder : where everything is stored.
    """

    batch: pd.DataFrame
    labels: dict[str, str]
    runs: dict[str, list[QueryRun]]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    folder: Path

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self.sections[0].sentence

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be labelled."""
        return not len(self.batch)


def query(
    pool: str | Path | Dataset | QueryPool,
    options: QueryOptions | None = None,
    *,
    out: str | Path = OUT,
    oracle: Oracle | None = None,
    test: Dataset | None = None,
    progress: Progress | None = None,
) -> QueryResult:
    """The instances whose labels would teach most, to be labelled by people, by a function, or from labels held back.

    A committee of quick models of different kinds is fitted to what is labelled, and asks for what its mean leaves most
    undecided. People fill in ``to-label.csv`` in the folder; the same call then reads it and writes the next batch.
    What cannot be used in it is named in `QueryResult.notes`, everything else is stored. A simulation buys labels that
    are known by several strategies, and compares what they learn.

    Parameters
    ----------
    pool : table with labels in some rows; a problem by name, or a dataset, for a simulation; or a `QueryPool`.
    options : strategy, budget, batch, ….
    out : folder of the query; the same call goes on with an interrupted one.
    oracle : function from the rows of a batch to their labels (None where nobody can tell); it is asked until the
        budget is spent. None to have people fill in the file.
    test : on which a simulation tests; a share of the pool if left out.
    progress : called in the phase labelling, or for each run of a simulation.

    Raises InputError for a pool without two classes, labels without a class, and a folder of another pool; FileError
    for what cannot be read or written.

    Examples
    --------
    >>> options = pc.QueryOptions(simulate=True, strategies=["margin-of-mean"], budget=30, batch=10, seeds=2)
    >>> result = pc.query("iris", options, out="iris-query")
    >>> [len(run.rounds) for run in result.runs["margin-of-mean"]]
    [3, 3]
    """
    options = options or QueryOptions()
    source = read_pool(pool, options) if isinstance(pool, (str, Path)) and not _is_problem(pool) else pool
    if options.simulate:
        return _simulated(_held_back(source, options, test), options, Path(out), progress)
    if not isinstance(source, QueryPool):
        raise InputError(
            "a pool whose labels are all known",
            "a table or a QueryPool with labels in some rows only",
            "set simulate to compare strategies on it",
        )
    state = LabellingRound.open(source, options, writable_folder(Path(out)))
    return _asked(state, progress) if oracle is None else _answered(state, oracle, progress)


def _is_problem(pool: str | Path) -> bool:
    return str(pool) in PROBLEMS and not Path(pool).exists()


def _asked(state: LabellingRound, progress: Progress | None) -> QueryResult:
    """What people answered is read; where the batch is complete, the next one is written."""
    notes: tuple[str, ...] = ()
    if state.pending:
        given = state.read()
        state = state.take(given)
        notes = given.problems
        if given.blank:
            column = f"column {state.pool.column!r} of {state.folder / TO_LABEL}"
            notes += (
                f"{len(given.blank)} of {len(state.batch)} rows have no label yet; fill in {column}, or write ? there.",
            )
    if not notes:
        phase_progress(progress, "labelling")(0, 1, "fitting the committee")
        state = state.next_batch()
    state.write_labelled()
    return _result(state, notes)


def _answered(state: LabellingRound, oracle: Oracle, progress: Progress | None) -> QueryResult:
    """Batches until the budget is spent, each stored before the next is chosen."""
    report = phase_progress(progress, "labelling")
    while True:
        if state.pending:
            state = state.take(state.ask(oracle))
            report(len(state.answers), state.options.budget, f"batch {len(set(state.asked_for['batch']))}")
        state = state.next_batch()
        if not state.pending:
            break
    state.write_labelled()
    return _result(state, ())


def _result(state: LabellingRound, notes: tuple[str, ...]) -> QueryResult:
    sections = (labelling_section(state),)
    return QueryResult(state.batch_table(), dict(state.answers), {}, sections, notes, state.folder)


def _held_back(
    pool: str | Path | Dataset | QueryPool, options: QueryOptions, test: Dataset | None
) -> tuple[Dataset, Dataset | None]:
    """The labelled instances, and the test set where there is one."""
    if isinstance(pool, QueryPool):
        return pool.dataset(pool.labelled), test
    if isinstance(pool, Dataset):
        return pool_of(pool, range(len(pool))).dataset(np.arange(len(pool))), test
    split = load_problem([str(pool)], options.seed).split
    return split.train, test or split.test


def _simulated(
    parts: tuple[Dataset, Dataset | None], options: QueryOptions, out: Path, progress: Progress | None
) -> QueryResult:
    labelled, test = parts
    if labelled.task != "classification":
        raise InputError(f"a query for labels of {labelled.task}", "classes", "choose another problem")
    folder = writable_folder(out)
    runs: dict[str, list[QueryRun]] = {name: [] for name in options.compared}
    for seed in range(options.seeds):
        simulation = _simulation(labelled, test, options, seed)
        for strategy in options.compared:
            report = phase_progress(progress, f"{strategy}, seed {seed}")
            runs[strategy].append(simulation.run(strategy, seed, folder / RUNS / f"{strategy}-{seed}.json", report))
    return QueryResult(pd.DataFrame(), {}, runs, (simulation_section(runs, options),), (), folder)


def _simulation(labelled: Dataset, test: Dataset | None, options: QueryOptions, seed: int) -> Simulation:
    """One repetition: where no test set is given, with a test part of its own."""
    recipes = tuple(options.committee) or default_committee(labelled.modality)
    if test is not None:
        return Simulation(labelled, test, recipes, options)
    parts = stratified(labelled.labels, (1 - options.test, options.test), stream(options.seed, "test part", seed))
    if min(map(len, parts)) < 2:
        raise InputError(f"{len(labelled)} labelled instances to simulate on", "enough for a pool and a test part")
    pool, held_out = (labelled.take(rows) for rows in parts)
    return Simulation(pool, held_out, recipes, options)
