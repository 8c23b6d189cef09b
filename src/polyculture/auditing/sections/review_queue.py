"""Which all-wrong instances should a person look at first? Suspect labels, suspect grading, no answers, the rest."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.measures.effective import effective
from polyculture.predictions import MISSING, Predictions
from polyculture.results import Section
from polyculture.stats import n_eff_interval

from ..context import AuditContext
from ..systemic_failures import MOST_LISTED, hardest_instances

NAME, TITLE = "queue", "Which failures should a person look at?"
MAJORITY = 0.5
EDGES = re.compile(r"^(?:[\s,:;!?\"'()\[\]{}$*]|\.(?!\d))+|[\s.,:;!?\"'()\[\]{}$*]+$")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
KINDS = {
    "consensus": "most models give one same other answer: suspect the label",
    "format only": "the common answer differs from the label only in how it is written: suspect the grader",
    "no answer": "most models gave no answer that could be read",
    "genuine": "models fail in different ways",
    "unsorted": "only right and wrong are known, not the answers",
}


def queue(evidence: AuditContext) -> Section:
    """All-wrong instances sorted by what to suspect, and the headline without each kind.

    Judge them, put ``instance,valid`` rows (valid from 0 to 1) into a file and audit again with ``--verdicts``.
    """
    p = evidence.predictions
    table = hardest_instances(p, share=1.0, limit=p.shape[1])
    if table.empty:
        return Section(NAME, TITLE, "", reason="no instance is failed by every model")
    sorted_rows = pd.concat([table, _kinds(p, table)], axis=1)
    rank = {kind: at for at, kind in enumerate(KINDS)}
    order = np.lexsort((-sorted_rows["wrong"].to_numpy(), sorted_rows["kind"].map(rank).to_numpy()))
    sorted_rows = sorted_rows.iloc[order].reset_index(drop=True)
    headline = _before_and_after(evidence, sorted_rows)
    counts = sorted_rows["kind"].value_counts()
    said = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if kind in counts)
    first, last = headline.iloc[0], headline.iloc[-1]
    how_many = f"{len(sorted_rows):,} instances are" if len(sorted_rows) > 1 else "1 instance is"
    sentence = f"{how_many} failed by every model: {said}."
    if np.isfinite([first["n_eff"], last["n_eff"]]).all():
        sentence += (
            f" If all suspects were struck out, n_eff would go from {first['n_eff']:.2f} to {last['n_eff']:.2f}: "
            "the most that they can explain."
        )
    kinds = counts.rename_axis("kind").reset_index(name="instances")
    tables = {"queue": sorted_rows.head(MOST_LISTED), "kinds": kinds, "headline": headline}
    return Section(NAME, TITLE, sentence, tables=tables)


def _kinds(p: Predictions, table: pd.DataFrame) -> pd.DataFrame:
    """What to suspect on each instance, and why in words."""
    if p.answers is None:
        return pd.DataFrame({"kind": "unsorted", "why": KINDS["unsorted"]}, index=table.index)
    rows = _positions(p, table["instance"].tolist())
    unread = (p.answers[:, rows] == MISSING) & p.wrong[:, rows]
    nothing = unread.sum(axis=0) / table["wrong"].to_numpy() > MAJORITY
    consensus = table["share"].to_numpy() > MAJORITY
    written = np.zeros(len(table), dtype=bool)
    if p.labels is not None:
        pairs = zip(table["answer"], table["label"], strict=True)
        written = np.array([canonical(str(answer)) == canonical(str(label)) for answer, label in pairs])
    kind = np.select([nothing, written, consensus], ["no answer", "format only", "consensus"], "genuine")
    return pd.DataFrame({"kind": kind, "why": [KINDS[k] for k in kind]}, index=table.index)


def canonical(answer: str) -> str:
    """The answer without what only its writing adds: case, blanks, punctuation around it, the form of a number."""
    bare = EDGES.sub("", re.sub(r"\s+", " ", answer.casefold()))
    try:
        return repr(float(THOUSANDS.sub("", bare)))
    except ValueError:
        return bare


def _before_and_after(evidence: AuditContext, table: pd.DataFrame) -> pd.DataFrame:
    """The headline as it is, without each suspect kind, and without all of them."""
    suspects = [k for k in ("consensus", "format only", "no answer") if (table["kind"] == k).any()]
    rows = [_headline(evidence, "as it is", [])]
    rows += [_headline(evidence, f"without {k}", table.loc[table["kind"] == k, "instance"].tolist()) for k in suspects]
    if len(suspects) != 1:
        every = table.loc[table["kind"].isin(suspects), "instance"].tolist()
        rows.append(_headline(evidence, "without all of these", every))
    return pd.DataFrame(rows)


def _headline(evidence: AuditContext, when: str, left_out: list[str]) -> dict[str, float | int | str]:
    p = evidence.predictions
    kept = np.ones(p.shape[1], dtype=bool)
    kept[_positions(p, left_out)] = False
    observed = None if p.observed is None else p.observed[:, kept]
    classes = None if evidence.classes is None else evidence.classes[kept]
    wrong = p.wrong[:, kept]
    weights = None if evidence.weights is None else evidence.weights[kept]
    found = effective(wrong, classes, observed, weights)
    clusters = None if evidence.clusters is None else evidence.clusters[kept]
    limits = n_eff_interval(found.n_models, found.design_effect, found.influence, clusters, evidence.options.level)
    failed = wrong[:, evidence.complete[kept]].all(axis=0)
    return {
        "when": when,
        "n_eff": limits.estimate,
        "low": limits.low,
        "high": limits.high,
        "all_wrong": float(failed.mean()) if failed.size else np.nan,
        "instances": int(kept.sum()),
    }


def _positions(p: Predictions, instances: list[str]) -> Int[np.ndarray, " k"]:
    found: Int[np.ndarray, " k"] = p.instances.index.astype(str).get_indexer(pd.Index(instances, dtype=str))
    return found
