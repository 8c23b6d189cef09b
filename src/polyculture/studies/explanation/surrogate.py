"""Which few rules imitate all models together? A small tree with its fidelity on held-out instances, as a section."""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.explanation.surrogates import SurrogateTree, surrogate_tree
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.rng import stream
from polyculture.stats import percent, plural

from .sources import ExplainedSource

MOST_TRAINING = 5_000
"""Training instances that the tree is fitted to."""
DEPTH = 3
HALF = 0.5

SPEC = SectionSpec(
    "surrogate",
    "Which few rules imitate the set?",
    numbers={
        "fidelity": "fidelity to the set",
        "constant": "the same of the best constant answer",
        "accuracy": "accuracy of the tree",
        "least_fidelity": "fidelity to the model that it fits worst",
        "r2": "R² of the tree's numbers",
    },
    percent=("fidelity", "constant", "accuracy", "least_fidelity"),
    tables={
        "tree": TableSpec(
            "From the root; a row's condition leads to it from the row above that is less deep.", rows=63
        ),
        "rules": TableSpec(
            "One per leaf, most frequent first. Share of held-out instances; fidelity: share of these with the set's "
            "answer.",
            percent=("share", "fidelity", "low", "high"),
            ranked=True,
        ),
        "members": TableSpec("Worst first.", percent=("fidelity", "low", "high")),
    },
)


def surrogate_section(origin: ExplainedSource, seed: int = 0) -> Section:
    """A tree that imitates the answer of all models together, its rules, and its fidelity to each of them.

    Fitted to what the models answer on training instances, judged on the test set. For numbers, fidelity is R².
    """
    split, columns = origin.problem.split, origin.problem.columns
    train, names = split.train, columns.names if columns is not None else ()
    if len(train) > MOST_TRAINING:
        train = train.take(np.sort(stream(seed, "surrogate").choice(len(train), MOST_TRAINING, replace=False)))
    column = origin.problem.cluster
    clusters = split.test.instances[column].astype(str).to_numpy() if column in split.test.instances.columns else None
    features = names if train.modality == "table" and len(names) == train.array.shape[1] else ()
    tree = surrogate_tree(origin.population.models, train, split.test, DEPTH, features, clusters, seed)
    return surrogate_answer(tree, len(origin.population), bool(train.classes))


def surrogate_answer(tree: SurrogateTree, models: int, classes: bool) -> Section:
    """The section of this tree."""
    worst = min(tree.members.items(), key=lambda item: item[1].estimate if item[1].defined else 1.0)
    fidelity = {"fidelity": tree.fidelity} if classes else {"r2": tree.fidelity}
    numbers = fidelity | {"constant": tree.constant, "accuracy": tree.accuracy} if classes else fidelity
    numbers |= {"least_fidelity": worst[1]} if classes else {}
    numbers = {name: interval for name, interval in numbers.items() if interval.defined}
    members = sorted(tree.members.items(), key=lambda item: item[1].estimate)
    tables = {
        "tree": tree_rows(tree.nodes),
        "rules": pd.DataFrame(
            {"rule": str(r), "share": r.share, "fidelity": r.fidelity.estimate}
            | {"low": r.fidelity.low, "high": r.fidelity.high}
            for r in tree.rules
        ),
        "members": pd.DataFrame(
            {"model": name, "fidelity": i.estimate, "low": i.low, "high": i.high} for name, i in members
        ),
    }
    return SPEC.answer(_sentence(tree, models, classes, worst[0]), numbers, tables)


def _sentence(tree: SurrogateTree, models: int, classes: bool, worst: str) -> str:
    rules, models_text = plural(len(tree.rules), "rule"), f"{models:,} models together"
    if not tree.fidelity.defined:
        return f"How far {rules} imitate {models_text} is undefined ({tree.fidelity.reason})."
    if not classes:
        text = f"{rules} explain {percent(tree.fidelity.estimate, 0)} of the variance of what {models_text} predict"
    else:
        limits = f"[{percent(tree.fidelity.low, 0)}, {percent(tree.fidelity.high, 0)}]"
        text = f"{rules} give the answer of {models_text} on {percent(tree.fidelity.estimate, 0)} {limits} of held-out "
        text += f"instances; always the same answer would on {percent(tree.constant.estimate, 0)}"
        least = tree.members[worst]
        text += f". Least of all they imitate {worst}, on {percent(least.estimate, 0)}" if least.defined else ""
    return f"{text}. They describe what the models answer, not how they compute it."


def tree_rows(nodes: pd.DataFrame) -> pd.DataFrame:
    """The nodes from the root downwards, each before its children: depth, condition, answer, share, leaf."""
    table = nodes.to_dict("records")
    rows: list[dict[str, object]] = []

    def visit(node: int, condition: str) -> None:
        row = table[node]
        leaf = int(row["first"]) < 0
        rows.append(
            {"depth": int(row["depth"]), "condition": condition, "answer": str(row["answer"])}
            | {"share": float(row["share"]), "leaf": leaf}
        )
        if not leaf:
            conditions = _conditions(str(row["feature"]), float(row["threshold"]))
            visit(int(row["first"]), conditions[0])
            visit(int(row["second"]), conditions[1])

    visit(0, "all instances")
    return pd.DataFrame(rows)


def _conditions(feature: str, threshold: float) -> tuple[str, str]:
    """What leads to the first and to the second child."""
    if threshold == HALF and ("=" in feature or feature.startswith("“")):  # a category, or a word of a text
        return f"not {feature}", feature
    return f"{feature} ≤ {threshold:.4g}", f"{feature} > {threshold:.4g}"
