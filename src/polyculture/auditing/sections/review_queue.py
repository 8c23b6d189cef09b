"""Which all-wrong instances should a person look at first? Suspect labels, suspect grading, no answers, the rest."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.special import bdtrc

from polyculture.measures.effective import effective
from polyculture.predictions import MISSING, Predictions
from polyculture.results import Section, SectionSpec, Severity, TableSpec
from polyculture.stats import benjamini_hochberg, n_eff_interval

from ..context import AuditContext
from ..systemic_failures import MOST_LISTED, hardest_instances

MAJORITY = 0.5
EDGES = re.compile(r"^(?:[\s,:;!?\"'()\[\]{}$*]|\.(?!\d))+|[\s.,:;!?\"'()\[\]{}$*]+$")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
FALSE_DISCOVERIES = 0.05
"""Share of the instances called consensus on which models may agree by chance alone."""
SUSPECTS = ("consensus", "format only", "no answer")
KINDS = {
    "consensus": "most models give one same other answer: suspect the label",
    "format only": "the common answer differs from the label only in how it is written: suspect the grader",
    "no answer": "most models gave no answer that could be read",
    "chance agreement": "most models give one same other answer, no more than chance has it with so few others",
    "genuine": "models fail in different ways",
    "unsorted": "only right and wrong are known, not the answers",
}


def review_queue(context: AuditContext) -> Section:
    """All-wrong instances sorted by what to suspect, and the headline without each kind.

    Judge them, put ``instance,valid`` rows (valid from 0 to 1) into a file and audit again with ``--verdicts``.
    """
    p = context.predictions
    table = hardest_instances(p, share=1.0, limit=p.shape[1])
    if table.empty:
        return SPEC.skip("no instance is failed by every model")
    sorted_rows = pd.concat([table, _kinds(p, table)], axis=1)
    rank = {kind: position for position, kind in enumerate(KINDS)}
    order = np.lexsort((-sorted_rows["wrong"].to_numpy(), sorted_rows["kind"].map(rank).to_numpy()))
    sorted_rows = sorted_rows.iloc[order].reset_index(drop=True)
    headline = _before_and_after(context, sorted_rows)
    counts = sorted_rows["kind"].value_counts()
    summary = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if kind in counts)
    first, last = headline.iloc[0], headline.iloc[-1]
    how_many = f"{len(sorted_rows):,} instances are" if len(sorted_rows) > 1 else "1 instance is"
    sentence = f"{how_many} failed by every model: {summary}."
    if severity_of(sorted_rows) == "warning" and np.isfinite([first["n_eff"], last["n_eff"]]).all():
        sentence += (
            f" If all suspects were struck out, n_eff would go from {first['n_eff']:.2f} to {last['n_eff']:.2f}: "
            "the most that they can explain."
        )
    kinds = counts.rename_axis("kind").reset_index(name="instances")
    tables = {"queue": sorted_rows.head(MOST_LISTED), "kinds": kinds, "headline": headline}
    return SPEC.answer(sentence, tables=tables)


def _kinds(p: Predictions, table: pd.DataFrame) -> pd.DataFrame:
    """What to suspect on each instance, and why in words."""
    if p.answers is None:
        return pd.DataFrame({"kind": "unsorted", "why": KINDS["unsorted"]}, index=table.index)
    rows = _positions(p, table["instance"].tolist())
    unread = (p.answers[:, rows] == MISSING) & p.wrong[:, rows]
    no_answer = unread.sum(axis=0) / table["wrong"].to_numpy() > MAJORITY
    agreement = table["share"].to_numpy() > MAJORITY
    consensus = agreement & (benjamini_hochberg(agreement_p(p, rows, agreement)) <= FALSE_DISCOVERIES)
    written = np.zeros(len(table), dtype=bool)
    if p.labels is not None:
        pairs = zip(table["answer"], table["label"], strict=True)
        written = np.array([canonical(str(answer)) == canonical(str(label)) for answer, label in pairs])
    kinds = ["no answer", "format only", "consensus", "chance agreement"]
    kind = np.select([no_answer, written, consensus, agreement], kinds, "genuine")
    return pd.DataFrame({"kind": kind, "why": [KINDS[k] for k in kind]}, index=table.index)


def agreement_p(
    p: Predictions, rows: Int[np.ndarray, " k"], agreement: Bool[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """How likely the failing models would agree as often on a wrong answer by chance, on each of these instances.

    By chance each of the k wrong models draws its answer, by itself, from the wrong answers that models give on the
    other instances: of the same true class where there are classes, of all where there are none. Where every question
    has options of its own all wrong ones are equally likely. Only one answer can have a majority of v votes, so
    Σ P(Bin(k, q) ≥ v) over the answers that are no more common is the probability of such a majority, exactly. With two
    answers it is 1: all that are wrong agree.

    Parameters
    ----------
    agreement : where more than half of the failing models give one answer; 1 elsewhere.
    """
    assert p.answers is not None
    chance = np.ones(len(rows))
    stratum = p.labels if p.has_fixed_classes and p.labels is not None else np.zeros(p.shape[1], np.int64)
    wrong_answer = p.wrong & (p.answers != MISSING)
    for code in np.unique(stratum[rows[agreement]]):
        members = np.flatnonzero(stratum == code)
        tally = np.bincount(p.answers[:, members][wrong_answer[:, members]], minlength=len(p.classes)).astype(float)
        possible = np.ones(len(p.classes), bool)
        if p.has_fixed_classes:
            possible[code] = False
        for position in np.flatnonzero(agreement & (stratum[rows] == code)):
            row = rows[position]
            votes = np.bincount(p.answers[wrong_answer[:, row], row], minlength=len(p.classes))
            # (GQ6): without the instance itself, and each possible answer once more, so that none is impossible.
            counts = (tally - votes + 1)[possible]
            q = counts[counts <= counts[votes[possible].argmax()]] / counts.sum()
            if p.options is not None:
                q = np.full(max(int(p.options[row]) - 1, 1), 1 / max(int(p.options[row]) - 1, 1))
            chance[position] = min(1.0, float(bdtrc(float(votes.max() - 1), int(wrong_answer[:, row].sum()), q).sum()))
    return chance


def canonical(answer: str) -> str:
    """The answer without what only its writing adds: case, blanks, punctuation around it, the form of a number."""
    bare = EDGES.sub("", re.sub(r"\s+", " ", answer.casefold()))
    try:
        return repr(float(THOUSANDS.sub("", bare)))
    except ValueError:
        return bare


def _before_and_after(context: AuditContext, table: pd.DataFrame) -> pd.DataFrame:
    """The headline as it is, without each suspect kind, and without all of them."""
    suspects = [k for k in SUSPECTS if (table["kind"] == k).any()]
    rows = [_headline(context, "as it is", [])]
    rows += [_headline(context, f"without {k}", table.loc[table["kind"] == k, "instance"].tolist()) for k in suspects]
    if len(suspects) != 1:
        suspect_instances = table.loc[table["kind"].isin(suspects), "instance"].tolist()
        rows.append(_headline(context, "without all of these", suspect_instances))
    return pd.DataFrame(rows)


def _headline(context: AuditContext, label: str, excluded: list[str]) -> dict[str, float | int | str]:
    p = context.predictions
    selected = np.ones(p.shape[1], dtype=bool)
    selected[_positions(p, excluded)] = False
    observed = None if p.observed is None else p.observed[:, selected]
    classes = None if context.classes is None else context.classes[selected]
    wrong = p.wrong[:, selected]
    weights = None if context.weights is None else context.weights[selected]
    estimate = effective(wrong, classes, observed, weights)
    clusters = None if context.clusters is None else context.clusters[selected]
    limits = n_eff_interval(
        estimate.n_models, estimate.design_effect, estimate.influence, clusters, context.options.level
    )
    failed = wrong[:, context.complete[selected]].all(axis=0)
    return {
        "when": label,
        "n_eff": limits.estimate,
        "low": limits.low,
        "high": limits.high,
        "all_wrong": float(failed.mean()) if failed.size else np.nan,
        "instances": int(selected.sum()),
    }


def _positions(p: Predictions, instances: list[str]) -> Int[np.ndarray, " k"]:
    positions: Int[np.ndarray, " k"] = p.instances.index.astype(str).get_indexer(pd.Index(instances, dtype=str))
    return positions


def severity(section: Section) -> Severity:
    """A warning where labels or grading are suspect."""
    return severity_of(section.tables["queue"])


def severity_of(table: pd.DataFrame) -> Severity:
    """A warning where some kind of these rows is suspect."""
    return "warning" if table["kind"].isin(SUSPECTS).any() else "note"


SPEC = SectionSpec(
    "review_queue",
    "Which failures should a person look at?",
    place=80,
    compute=lambda context, *_: review_queue(context),
    code="PC013",
    finding="failures to look at",
    severity=severity,
    tables={"queue": TableSpec(rows=30, ranked=True)},
)
