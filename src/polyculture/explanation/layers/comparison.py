"""How alike are the models inside, and are those that are alike inside alike in errors, too?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from polyculture.errors import InputError
from polyculture.measures.similarity import MatrixCorrelation, mantel
from polyculture.rng import stream

from .activations import PENULTIMATE, represent
from .similarity import RepresentationSimilarity, representation_similarity

MEASURES = ("cka", "rsa", "mutual-knn")
"""Measures that are compared unless others are asked for; Procrustes is much slower."""


@dataclass(frozen=True, eq=False)
class RepresentationComparison:
    """One layer of several models, compared by several measures.

    Parameters
    ----------
    layer : name of the layer.
    similarities : by measure.
    relations : by measure, the association over pairs of models with alikeness in errors; empty where this is unknown.
    left_out : models without such a layer, with the reason.
    """

    layer: str
    similarities: Mapping[str, RepresentationSimilarity]
    relations: Mapping[str, MatrixCorrelation] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        """One row per measure: mean similarity and effective number with limits; association with errors and its p."""
        rows = []
        for name, similarity in self.similarities.items():
            mean, number, relation = similarity.mean, similarity.effective_number, self.relations.get(name)
            row = {"measure": name, "mean": mean.estimate, "low": mean.low, "high": mean.high}
            row |= {"effective": number.estimate, "effective low": number.low, "effective high": number.high}
            if relation is not None:
                row |= {"correlation with errors": relation.correlation, "p": relation.p}
            rows.append(row)
        return pd.DataFrame(rows)


def compare_representations(
    models: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    inputs: Shaped[np.ndarray, "n ..."],
    layer: str = PENULTIMATE,
    measures: Sequence[str] = MEASURES,
    alikeness: pd.DataFrame | None = None,
    seed: int = 0,
    permutations: int = 99,
    clusters: Shaped[np.ndarray, " n"] | None = None,
) -> RepresentationComparison:
    """Similarity of one layer of all models, and whether it goes with alikeness in errors.

    Parameters
    ----------
    inputs : 40 to 2,000 instances that were not trained on.
    layer : as in `represent`; models without it are left out, with the reason.
    measures : as in `representation_similarity`.
    alikeness : of the models' errors, such as κ; rows and columns are model ids.
    seed, permutations, clusters : as in `representation_similarity`.

    Raises InputError where fewer than two models have the layer, and where `alikeness` lacks a model.
    """
    representations = represent(models, inputs, layer)
    names = list(representations.arrays)
    if len(names) < 2:
        cure = next(iter(representations.left_out.values()), "give more models")
        raise InputError(f"only {names[0]!r} has the layer {layer!r}", "two models to compare", cure)
    if alikeness is not None and (absent := {*names} - ({*alikeness.index} & {*alikeness.columns})):
        raise InputError(f"alikeness in errors lacks {sorted(absent)[0]!r}", "a row and a column for every model")
    similarities = {
        measure: representation_similarity(representations.arrays, measure, seed, permutations, clusters)
        for measure in measures
    }
    relations = {}
    if alikeness is not None:
        errors = alikeness.loc[names, names].to_numpy(float)
        for measure, similarity in similarities.items():
            relations[measure] = mantel(similarity.adjusted, errors, stream(seed, "mantel", measure))
    return RepresentationComparison(layer, similarities, relations, representations.left_out)
