"""Do the nets represent the instances alike, and are those that do alike in errors, too? As a section of the page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.auditing.counting import count_table
from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.explanation.layers import RepresentationComparison, compare_representations
from polyculture.measures.pairs import MEASURES
from polyculture.predictions import Predictions
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.rng import stream
from polyculture.stats import plural

from .sources import ExplainedSource

FEWEST_INSTANCES, MOST_INSTANCES = 40, 300
FIRST, EFFECTIVE = "cka", "effective_representations"
"""Measure of the effective number that stands next to those of answers and reasons, and what it is called."""

SPEC = SectionSpec(
    "representations",
    "Are the models alike inside?",
    numbers={
        "cka": "mean similarity of representations (debiased CKA)",
        "rsa": "the same by rank correlation of distances (RSA)",
        "mutual-knn": "the same by common nearest neighbours",
        EFFECTIVE: "effective number of representations (CKA)",
    },
    tables={
        "measures": TableSpec(
            "Means over pairs, with limits over instances. Effective: the effective number of models by it. "
            "Correlation with errors: over pairs of models, with φ; p by permutation of models."
        ),
        "pairs": TableSpec("CKA of every pair; p: of unrelated representations.", headings={"adjusted": "CKA"}),
        "left_out": TableSpec(),
    },
)


def representation_section(origin: ExplainedSource, predictions: Predictions, seed: int = 0) -> Section:
    """The layer before the last one of every net, compared by several measures on instances of the test set.

    Parameters
    ----------
    predictions : of the same models, whose errors are compared with their representations.
    """
    test = origin.problem.split.test
    if len(test) < FEWEST_INSTANCES:
        return SPEC.skip(f"{plural(len(test), 'test instance')} are too few to compare representations")
    if len(test) > MOST_INSTANCES:
        rows = stream(seed, "represented instances").choice(len(test), MOST_INSTANCES, replace=False)
        test = test.take(np.sort(rows))
    alikeness = None
    if predictions.values is None:
        phi = MEASURES["phi"](count_table(predictions, predictions.has_fixed_classes).counts)
        alikeness = pd.DataFrame(phi, predictions.model_ids, predictions.model_ids)
    try:
        clusters = _clusters(test, origin.problem.cluster)
        comparison = compare_representations(
            origin.population.models, test.array, alikeness=alikeness, seed=seed, clusters=clusters
        )
    except InputError as error:
        return SPEC.skip(f"{error.wrong}: {error.expected}" if error.expected else error.wrong)
    return representation_answer(comparison)


def _clusters(test: Dataset, column: str) -> np.ndarray | None:
    return test.instances[column].astype(str).to_numpy() if column in test.instances.columns else None


def representation_answer(comparison: RepresentationComparison) -> Section:
    """The section of this comparison."""
    cka = comparison.similarities[FIRST]
    numbers = {name: similarity.mean for name, similarity in comparison.similarities.items()}
    numbers |= {EFFECTIVE: cka.effective_number}
    tables = {"measures": comparison.frame(), "pairs": cka.frame()}
    if comparison.left_out:
        names = list(comparison.left_out)
        tables["left_out"] = pd.DataFrame({"model": names, "reason": [comparison.left_out[name] for name in names]})
    text = (
        f"The last hidden layers of {len(cka.models):,} nets have a mean similarity of {cka.mean.format('.2f')} (CKA)"
    )
    if cka.effective_number.defined:
        text += f", as {cka.effective_number.format('.1f')} unrelated ones would"
    parts = [f"{text}."]
    relation = comparison.relations.get(FIRST)
    if relation is not None and np.isfinite(relation.correlation):
        verb = "go" if relation.p <= 0.05 and relation.correlation > 0 else "do not demonstrably go"
        parts.append(
            f"Alike representations {verb} with alike errors (correlation over pairs {relation.correlation:.2f}, "
            f"p {'< 0.001' if relation.p < 0.001 else f'= {relation.p:.3f}'})."
        )
    if comparison.left_out:
        parts.append(f"{plural(len(comparison.left_out), 'model')} without layers are left out.")
    parts.append("Alike inside does not mean alike in answers, nor the reverse.")
    return SPEC.answer(" ".join(parts), numbers, tables)
