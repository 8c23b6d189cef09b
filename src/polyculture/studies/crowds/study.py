"""What do the workers say together? Every method, the tempered posterior, the workers, and the consensus as a table."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import visible
from polyculture.measures.annotators import (
    METHODS,
    Consensus,
    correlation_of,
    dawid_skene,
    effective_workers,
    sureness,
    tempering,
    vote_share,
)
from polyculture.measures.panels import krippendorff_alpha
from polyculture.results import Section
from polyculture.stats import Interval, n_eff_interval, share_interval

from ..run_folder import writable_folder
from .labels import CrowdLabels, read_labels
from .options import CrowdOptions
from .section import crowd_section
from .workers import worker_table

LABELS, WORKERS = "labels.csv", "workers.csv"
SECTION = "crowd.json"
"""File of the section, next to its page."""
MOST_CONFUSIONS = 10**7
"""Cells of confusion matrices, workers × classes², from which on Dawid–Skene, which has one per worker, is left out."""
TEMPERED = "tempered"


@dataclass(frozen=True, eq=False)
class CrowdResult:
    """What workers say together.

    Parameters
    ----------
    labels : the labels that were read.
    consensus : by method.
    method : that the consensus labels are taken from.
    tempered : the same with its likelihood to the power n_eff/M; None where n_eff is not known.
    n_eff : effective number of independent workers, with limits; undefined where it is not known.
    table : the consensus, a row per item.
    section : the answer; `polyculture.report` makes its page.
    folder : where the tables are.
    """

    labels: CrowdLabels
    consensus: Mapping[str, Consensus]
    method: str
    tempered: Consensus | None
    n_eff: Interval
    table: pd.DataFrame
    section: Section
    folder: Path

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self.section.sentence

    @property
    def sections(self) -> tuple[Section, ...]:
        """The section alone, as `report` takes it."""
        return (self.section,)

    def __repr__(self) -> str:
        return visible(f"CrowdResult in {self.folder}: {self.sentence}") + "\nnext: result.section.tables"


def crowd(source: Any, options: CrowdOptions | None = None, *, out: str | Path = "polyculture-crowd") -> CrowdResult:
    """Consensus labels of several workers, who of them is good, and how sure the consensus may be.

    All methods take the workers for independent given the truth. Where the truth of some items is known, or `n_eff` is
    given, the likelihood is also raised to the power n_eff/M, which allows for their dependence on average.

    Parameters
    ----------
    source : table with a row per label (worker, item, label, perhaps truth) or a row per item (item, perhaps truth, a
        column per worker): a file or a dataframe.
    options : columns, method, ….
    out : folder of labels.csv (the consensus) and workers.csv.

    Raises InputError for labels that nothing can be learned from, FileError for files that cannot be read or written.

    Examples
    --------
    >>> votes = {"item": [1, 2, 3, 4], "ann": list("abab"), "bob": list("abab"), "cyd": list("bbaa")}
    >>> result = pc.crowd(pd.DataFrame(votes), out="three-workers")
    >>> result.table["label"].tolist()
    ['a', 'b', 'a', 'b']
    """
    options = options or CrowdOptions()
    labels = read_labels(source, options)
    folder = writable_folder(Path(out))
    a = labels.annotations
    refused = a.workers * a.classes**2 > MOST_CONFUSIONS
    consensus = {
        name: combine(a) if combine is vote_share else combine(a, options.iterations)
        for name, combine in METHODS.items()
        if not (combine is dawid_skene and refused)
    }
    method = options.method if options.method in consensus else "one-coin"
    n_eff, power = _dependence(labels, options)
    tempered = None if power is None else consensus[method].tempered(power)
    workers = worker_table(labels, consensus[method], options.level)
    table = consensus_table(labels, consensus, method, tempered)
    section = crowd_section(
        _numbers(labels, consensus, method, tempered, n_eff, options),
        {"methods": method_table(labels, consensus, power, options), "workers": workers, "items": _unsure(table)},
        (method, labels, options.sure, refused),
    )
    _write(table, folder / LABELS)
    _write(workers, folder / WORKERS)
    return CrowdResult(labels, consensus, method, tempered, n_eff, table, section, folder)


def _dependence(labels: CrowdLabels, options: CrowdOptions) -> tuple[Interval, Float[np.ndarray, " n"] | None]:
    """Effective number of independent workers, and the power of the likelihood of each item; None if not known."""
    a = labels.annotations
    active = int((a.labels_per_worker > 0).sum())
    if options.n_eff is not None:
        rho = correlation_of(options.n_eff, active)
        return Interval(options.n_eff, n=0, method="given"), tempering(rho, a.labels_per_item)
    if not (labels.truth >= 0).any():
        return Interval.undefined("no item has a truth"), None
    estimate = effective_workers(a, labels.truth)
    if math.isnan(estimate.rho):
        return Interval.undefined(estimate.reason), None
    interval = n_eff_interval(estimate.n_models, estimate.design_effect, estimate.influence, level=options.level)
    return interval, tempering(estimate.rho, a.labels_per_item)


def _numbers(
    labels: CrowdLabels,
    consensus: Mapping[str, Consensus],
    method: str,
    tempered: Consensus | None,
    n_eff: Interval,
    options: CrowdOptions,
) -> dict[str, Interval]:
    a = labels.annotations
    labelled = a.labels_per_item > 0
    confidence = consensus[method].confidence[labelled]
    numbers = {"sure": share_interval(confidence > options.sure, level=options.level)}
    numbers["claimed"] = Interval(float(confidence.mean()), n=len(confidence))
    if (labels.truth >= 0).any():
        plain, vote = (sureness(consensus[name], labels.truth, options.sure) for name in (method, "vote"))
        numbers["accuracy"] = share_interval(plain.credit, level=options.level)
        numbers["vote_accuracy"] = share_interval(vote.credit, level=options.level)
        numbers["sure_wrong"] = (
            share_interval(1 - plain.credit[plain.sure], level=options.level)
            if plain.sure.any()
            else Interval.undefined("never sure")
        )
        numbers |= {"ece": _ece(plain.ece, plain.credit), "vote_ece": _ece(vote.ece, vote.credit)}
        if tempered is not None:
            cooler = sureness(tempered, labels.truth, options.sure)
            numbers["tempered_sure"] = share_interval(cooler.sure, level=options.level)
            numbers["tempered_ece"] = _ece(cooler.ece, cooler.credit)
    alpha = krippendorff_alpha(a.counts.astype(float)).value
    reason = "all labels are the same" if math.isnan(alpha) else ""
    return numbers | {"n_eff": n_eff, "alpha": Interval(alpha, n=int((a.labels_per_item > 1).sum()), reason=reason)}


def _ece(value: float, credit: Float[np.ndarray, " n"]) -> Interval:
    return Interval(value, n=len(credit), reason="" if len(credit) else "no item has labels and a truth")


def method_table(
    labels: CrowdLabels,
    consensus: Mapping[str, Consensus],
    power: Float[np.ndarray, " n"] | None,
    options: CrowdOptions,
) -> pd.DataFrame:
    """One row per method, and one more with its tempered posterior: accuracy, what it claims, calibration, rounds."""
    rows = []
    for name, combined in consensus.items():
        variants = [(name, combined)]
        if power is not None and combined.evidence is not None:
            variants.append((f"{name}, {TEMPERED}", combined.tempered(power)))
        for title, variant in variants:
            s = sureness(variant, labels.truth, options.sure)
            limits = share_interval(s.credit, level=options.level)
            labelled = variant.confidence[labels.annotations.labels_per_item > 0]
            sure = float((labelled > options.sure).mean())
            rows.append(
                {"method": title, "accuracy": limits.estimate, "low": limits.low, "high": limits.high}
                | {"claimed": float(labelled.mean()), "ece": s.ece, "log_loss": s.log_loss, "sure": sure}
                | {"sure_wrong": s.sure_wrong, "tied": int(variant.tied.sum()), "rounds": variant.iterations}
                | {"converged": variant.converged}
            )
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def consensus_table(
    labels: CrowdLabels, consensus: Mapping[str, Consensus], method: str, tempered: Consensus | None
) -> pd.DataFrame:
    """One row per item with labels: the consensus label, its posterior, tempered, its share of the vote, labels."""
    chosen, vote = consensus[method], consensus["vote"]
    rows = np.flatnonzero(chosen.labels_per_item > 0)
    answer = chosen.answer[rows]
    columns: dict[str, object] = {
        "item": np.array(labels.items, dtype=object)[rows],
        "label": np.array(labels.classes, dtype=object)[answer],
        "posterior": chosen.posterior[rows, answer],
        "vote_share": vote.posterior[rows, answer],
        "labels": chosen.labels_per_item[rows],
        "tied": chosen.tied[rows],
    }
    if tempered is not None:
        columns["tempered"] = tempered.posterior[rows, answer]
    if (labels.truth >= 0).any():
        names = np.array([*labels.classes, ""], dtype=object)
        columns["truth"] = names[labels.truth[rows]]
    return pd.DataFrame(columns)


def _unsure(table: pd.DataFrame) -> pd.DataFrame:
    """The items on which the workers are most divided, first."""
    return table.sort_values(["vote_share", "posterior"], kind="stable").head(100).reset_index(drop=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    """Write a table so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    table.to_csv(part, index=False)
    part.replace(path)
