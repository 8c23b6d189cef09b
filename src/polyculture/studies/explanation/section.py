"""Do the models decide for the same reasons? The answer as a section that leads its page."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent

from .comparison import CHANGED, FLOOR, PAIRS, RECIPE, REPEAT, ReasonComparison

CAUTION = (
    "Agreement of reasons is agreement of what this method says of the models; it does not show that they are right, "
    "nor that the reasons are good ones."
)
MANY = 0.2
"""Share of instances without any reason from which on a model is named."""
_SHARES = (
    "feature",
    "low",
    "high",
    "rank",
    "sign",
    "signed_rank",
    "same_answer",
    "agreement",
    "share",
    "part",
    "toward",
)
_HEADINGS = {
    "feature": "share of top reasons",
    "rank": "with the same rank",
    "sign": "with the same sign",
    "signed_rank": "with both",
    "correlation": "rank correlation",
    "same_answer": "same answer",
}


def explanation_section(
    comparison: ReasonComparison, numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame]
) -> Section:
    """The section of these numbers and tables."""
    return SPEC.answer(sentence(comparison, numbers, tables), numbers, tables)


def sentence(comparison: ReasonComparison, numbers: Mapping[str, Interval], tables: Mapping[str, pd.DataFrame]) -> str:
    """The answer in words: answers, reasons, effective numbers, ceilings, and what may not be read from them."""
    m = comparison.explanations.shape[0]
    models = "Both models" if m == 2 else f"{m:,} models"
    shared, answers = numbers[PAIRS.replace(" ", "_")], numbers["same_answer"]
    reasons = f"their top {comparison.k} reasons"
    if answers.defined:
        agreed = f"give the same answer on {percent(answers.estimate, 0)} of pairs × instances and share"
        text = f"{models} {agreed} {_share(shared)} of {reasons}"
    else:
        text = f"{models} share {_share(shared)} of {reasons}"
    effective = [_effective(numbers, "effective_models", "effective models")]
    effective += [_effective(numbers, "effective_reasons", "effective reasons")]
    effective += [_effective(numbers, "effective_representations", "effective representations")]
    numbers_text = ", ".join(part for part in effective if part)
    parts = [f"{text}{f'; {numbers_text}' if numbers_text else ''}; {_ceiling(numbers)}."]
    parts += [_method(comparison), _reading(comparison, numbers), _unmoved(tables), *_leader(tables), CAUTION]
    return " ".join(part for part in parts if part)


def _share(interval: Interval) -> str:
    return percent(interval.estimate, 0) if interval.defined else "an undefined part"


def _effective(numbers: Mapping[str, Interval], name: str, words: str) -> str:
    interval = numbers.get(name)
    if interval is None or not interval.defined:
        return ""
    number = "unboundedly many" if math.isinf(interval.estimate) else f"{interval.estimate:.1f}"
    return f"{number} {words}{' (nets only)' if interval.reason else ''}"


def _ceiling(numbers: Mapping[str, Interval]) -> str:
    """The lowest ceiling: more two models cannot be seen to agree."""
    ceilings = [numbers[name] for name in ("same_recipe", "same_model") if name in numbers and numbers[name].defined]
    if not ceilings:
        return "no ceiling is known"
    return f"ceiling {percent(min(interval.estimate for interval in ceilings), 0)}"


def _method(comparison: ReasonComparison) -> str:
    """By which method, against what, and of how many instances."""
    e = comparison.explanations
    target = "the predicted number" if not e.classes else f"the {e.target} class"
    target = f"the class {e.target}" if e.classes and e.target not in ("predicted", "label") else target
    target = "the true class" if e.target == "label" else target
    against = f"against {_baseline(e.baseline)}, all models alike"
    return f"Explained is {target} on {e.shape[1]:,} instances by {e.method}, {against}."


def _baseline(words: str) -> str:
    return f"the {words}" if words.startswith("mean") else words


def _reading(comparison: ReasonComparison, numbers: Mapping[str, Interval]) -> str:
    """Whether agreement lies below its ceilings and above its floor."""
    parts = []
    if REPEAT in comparison.by_instance:
        parts.append(
            _against(comparison.shortfall(REPEAT), "one model explained twice with another seed", "the method")
        )
    else:
        parts.append("The method has no seed: a model explained twice has the same reasons.")
    if RECIPE in comparison.by_instance:
        if comparison.same_recipe.all():
            parts.append("All models have one recipe, so that their agreement is the ceiling of other recipes.")
        else:
            parts.append(_against(comparison.shortfall(RECIPE), "two seeds of one recipe", "the seed"))
    else:
        parts.append("No two models have the same recipe, so what another seed would change is not known.")
    floor = numbers.get(FLOOR.replace(" ", "_"))
    if floor is not None and floor.defined:
        parts.append(f"On different instances two models share {percent(floor.estimate, 0)}.")
    changed = numbers.get(CHANGED.replace(" ", "_"))
    if changed is not None and changed.defined:
        parts.append(f"When its inputs change a little, a model keeps {percent(changed.estimate, 0)} of its reasons.")
    return " ".join(parts)


def _against(difference: Interval, ceiling: str, source: str) -> str:
    """Whether models differ by more than this ceiling explains."""
    if not difference.defined or math.isnan(difference.low):
        return f"Whether models differ by more than {ceiling} cannot be told."
    points = (
        f"{100 * difference.estimate:.0f} points [{100 * difference.low:.0f}, {100 * difference.high:.0f}]"
    ).replace("-", "−")
    if difference.low > 0:
        return f"Two models share {points} less than {ceiling}: their reasons differ by more than {source} makes them."
    return (
        f"That two models share less than {ceiling} is not shown (difference {points}): how they differ is below the "
        f"ceiling, and may be all due to {source}."
    )


def _unmoved(tables: Mapping[str, pd.DataFrame]) -> str:
    """The model whose answers no single feature changes on many instances: it shares no reason with any other there."""
    models = tables.get("models", pd.DataFrame())
    if "without_reasons" not in models or not (models["without_reasons"] >= MANY).any():
        return ""
    row = models.sort_values("without_reasons", ascending=False, kind="stable").to_dict("records")[0]
    share = percent(row["without_reasons"], 0)
    return f"On {share} of the instances no feature moves {row['model']}, which then shares no reason with any model."


def _leader(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """The feature that is a reason most often."""
    features = tables.get("features")
    if features is None or not len(features):
        return []
    first = features.to_dict("records")[0]
    return [f"The most frequent reason is {first['feature']}, in {percent(first['share'], 0)} of its explanations."]


SPEC = SectionSpec(
    "explanation",
    "Do the models decide for the same reasons?",
    numbers={
        "same_answer": "pairs × instances with the same answer",
        "pairs": "top reasons that two models share",
        "other_instances": "the same on different instances (floor)",
        "same_recipe": "the same of two seeds of one recipe (ceiling)",
        "same_model": "the same of one model, new seed of the method (ceiling)",
        "changed_inputs": "the same of one model, inputs changed a little",
        "below_same_recipe": "how much less two recipes share than two seeds of one",
        "below_same_model": "how much less two models share than one model explained twice",
        "rank_correlation": "rank correlation of all attributions",
        "effective_models": "effective number of models, by errors",
        "effective_reasons": "effective number of reasons",
        "effective_representations": "effective number of representations",
        "reasons_and_errors": "correlation over pairs of shared reasons and error similarity φ",
        "deletion": "deletion area, most important first",
        "insertion": "insertion area, most important first",
        "random_deletion": "deletion area in a random order",
        "infidelity": "infidelity",
    },
    percent=(
        *("same_answer", "pairs", "other_instances", "same_recipe", "same_model", "changed_inputs"),
        *("below_same_recipe", "below_same_model"),
    ),
    tables={
        "agreement": TableSpec(
            "From the floor to the ceilings. Shares are of the attributions of largest size.",
            headings=_HEADINGS,
            percent=_SHARES,
        ),
        "pairs": TableSpec("Least agreement first.", headings=_HEADINGS, percent=_SHARES),
        "models": TableSpec(
            "Shared: mean share of top reasons with the other models. Without reasons: share of instances where no "
            "feature moves the output. Deletion: area under the output while the most important features are taken "
            "away (small is faithful; random: in a random order). Infidelity: 0 where summed attributions forecast the "
            "output's change, 1 where they say nothing.",
            percent=("accuracy", "shared", "without_reasons", "repeated", "changed"),
        ),
        "same_answer_other_reasons": TableSpec(
            "Instances on which (nearly) all models answer alike, least agreement of reasons first; the two models are "
            "those that share least.",
            percent=_SHARES,
            ranked=True,
            rows=15,
        ),
        "same_reasons_other_answer": TableSpec(
            "Instances on which models answer differently, most agreement of reasons between such models first.",
            percent=_SHARES,
            ranked=True,
            rows=15,
        ),
        "features": TableSpec(
            "How often each feature is among the top reasons of an explanation whose instance has it. Part: of the sum "
            "of all sizes; toward: share of its attributions that speak for the explained class.",
            percent=_SHARES,
            ranked=True,
            rows=25,
        ),
        "maps": TableSpec("The explanations that are drawn; each is scaled to a largest size of 1.", rows=20),
        "surrogate": TableSpec(
            "The tree that imitates all models together, from its root.", percent=("share", "purity")
        ),
        "skipped": TableSpec(),
    },
)
