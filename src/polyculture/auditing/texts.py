"""How alike are generated texts? Through the same algebra as right and wrong answers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.errors import InputError
from polyculture.measures.effective_vectors import effective_vectors
from polyculture.measures.similarity.texts import Similarity, effective_by_similarity, text_similarity
from polyculture.results import Section
from polyculture.rng import stream
from polyculture.stats import StandardError, plural

from .null_models import linearized_null_model
from .options import AuditOptions
from .pairs import pair_table


def text_alikeness(
    outputs: Float[np.ndarray, "m s n d"] | Shaped[np.ndarray, "m n"],
    models: tuple[str, ...],
    similarity: Similarity | None = None,
    options: AuditOptions | None = None,
) -> Section:
    """How alike generated texts are, beyond what the prompts make alike.

    Parameters
    ----------
    outputs : unit embeddings, models × samples × prompts × dimensions; or, with `similarity`, models × prompts of
        anything.
    models : ids of the rows.
    similarity : function of two models' outputs on the same prompts to one number per prompt (a kernel).
    options : seed and level.

    What a prompt means plays the part of difficulty: similarity on the same prompt less that on different prompts. With
    two samples or more per prompt the ceiling is known: 1 means the same distribution of texts.

    Numbers: n_eff, usually in 1 … M, and rho. Raises InputError for embeddings that are not unit vectors.

    Examples
    --------
    >>> texts = np.array([["red", "blue"], ["red", "blue"], ["green", "blue"]])
    >>> def same(first, second):
    ...     return (first == second).astype(float)
    >>> section = pc.text_alikeness(texts, ("ann", "bob", "cy"), similarity=same)
    >>> round(section.numbers["n_eff"].estimate, 2)
    1.29
    """
    options = options or AuditOptions()
    tables = {}
    if similarity is not None:
        estimate = effective_by_similarity(outputs, similarity, stream(options.seed, "rotations"))
    else:
        embeddings = np.asarray(outputs, dtype=np.float64)
        lengths = np.linalg.norm(embeddings, axis=-1)
        if not np.allclose(lengths, 1, atol=1e-3):
            raise InputError(f"embeddings with lengths from {lengths.min():.3g} to {lengths.max():.3g}", "unit vectors")
        estimate = effective_vectors(embeddings.mean(axis=1))
        pairs = text_similarity(embeddings)
        tables["pairs"] = pair_table(
            models, {"matched": pairs.matched, "mismatched": pairs.mismatched, "ceiling_corrected": pairs.corrected}
        )
    null_model = linearized_null_model("T", "", estimate, StandardError.of(estimate.influence), options.level)
    n_eff, count = null_model.n_eff, plural(null_model.informative, "model")
    sentence = f"The texts of {count} vary like those of {n_eff.format()} independent ones."
    if not n_eff.defined:
        sentence = f"How many independent models the texts of {count} vary like is undefined: {n_eff.reason}."
    numbers = {"n_eff": null_model.n_eff, "rho": null_model.rho}
    return Section("texts", "Do they write alike?", sentence, numbers, tables)
