"""Which learners is an ensemble made of, for tables, pictures, recordings and texts? The same for all that choose."""

from __future__ import annotations

import math
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from polyculture.selection.estimators.default_learners import BOOSTERS, classifiers, prepared
from polyculture.training.estimators import RecipeClassifier

from .sets import Cut

Learners = list[tuple[str, Any]]
SMALL = 100
"""Pictures with fewer pixels than this are quickly learned."""


def tried(cut: Cut, seed: int) -> Learners:
    """Learners that may be chosen from, by name."""
    made = {"image": _pictures, "audio": _recordings, "text": _texts, "table": _tables}[cut.modality](cut)
    return [(name, _seeded(learner, seed)) for name, learner in made]


def nets(cut: Cut, seed: int) -> Learners:
    """Those of them that a deep ensemble may be made of; for tables some more, as the list has one only."""
    found = [(name, learner) for name, learner in tried(cut, seed) if _is_net(learner)]
    if cut.modality != "table":
        return found
    more = [("mlp", {"dropout": 0.3}), ("selu-mlp", {}), ("transformer", {})]
    return found + [(name, _seeded(RecipeClassifier(name, hyperparameters=settings), seed)) for name, settings in more]


def _is_net(learner: Any) -> bool:
    if isinstance(learner, RecipeClassifier):
        return learner.architecture not in ("logistic", "svm", "knn", "forest", "extra-trees", "boosting")
    return any("MLP" in type(step).__name__ for _, step in getattr(learner, "steps", []))


def _seeded(learner: Any, seed: int) -> Any:
    return learner.set_params(**{name: seed for name in learner.get_params() if name.endswith("random_state")})


def _tables(cut: Cut) -> Learners:
    columns = tuple(range(cut.shape[0]))
    own = [(name, learner) for name, learner in classifiers() if name not in BOOSTERS]  # those are rivals here
    return [(name, prepared(learner, (), columns)) for name, learner in own]


def _recipe(cut: Cut, architecture: str, data: str = "all", **settings: Any) -> tuple[str, Any]:
    shape = None if cut.modality == "text" else cut.shape
    name = f"{architecture}, {data}{''.join(f', {k} {v}' for k, v in settings.items())}"
    made = RecipeClassifier(architecture, data=data, hyperparameters=settings, modality=cut.modality, shape=shape)
    return name, made


def _pictures(cut: Cut) -> Learners:
    return _small_pictures(cut) if math.prod(cut.shape) < SMALL else _larger_pictures(cut)


def _small_pictures(cut: Cut) -> Learners:
    return [
        _recipe(cut, "svm"),
        _recipe(cut, "knn", neighbours=5, weights="distance"),
        _recipe(cut, "extra-trees", trees=200),
        _recipe(cut, "mlp", width=256, dropout=0.3),
        _recipe(cut, "lenet", "augmented", epochs=24, width=32),
        _recipe(cut, "densenet", epochs=5),
    ]


def _larger_pictures(cut: Cut) -> Learners:
    return [
        _recipe(cut, "knn", neighbours=5, weights="distance"),
        _recipe(cut, "lenet", "augmented", epochs=6),
    ]


def _recordings(cut: Cut) -> Learners:
    return [_recipe(cut, "svm"), _recipe(cut, "lenet", epochs=10), _recipe(cut, "gru", epochs=14)]


def _texts(cut: Cut) -> Learners:
    def counted(learner: Any, **how: Any) -> Any:
        return make_pipeline(
            ColumnTransformer([("counted", TfidfVectorizer(sublinear_tf=True, **how), "text")]), learner
        )

    words = {"ngram_range": (1, 2), "token_pattern": r"(?u)\S+"}
    letters = {"analyzer": "char", "ngram_range": (2, 6), "min_df": 2}
    return [
        ("logistic, pairs of words", counted(LogisticRegression(C=5, max_iter=1000), **words)),
        ("naive Bayes, pairs of words", counted(ComplementNB(alpha=0.5), **words)),
        ("svm, letters", counted(LinearSVC(C=0.3), **letters)),
        _recipe(cut, "mlp", dropout=0.4, epochs=8),
        _recipe(cut, "lenet", dropout=0.4, epochs=8),
    ]
