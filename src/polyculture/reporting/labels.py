"""What is a number of a chapter called for a reader? A few words for each; a name not listed stands for itself."""

from __future__ import annotations

import math

import pandas as pd

from polyculture.results import Section
from polyculture.results.tables import HEADINGS, DisplayTable, table
from polyculture.stats import Interval

NUMBERS = {
    "n_eff": "n_eff, effective number of independent models",
    "n_struct": "n_struct, distinct patterns of failing (descriptive)",
    "n_sys": "n_sys, independent models that would fail together as often",
    "ceiling": "highest accuracy that any choice among their answers can reach",
    "common_shock_rate": "ν*, share of instances that would have to take every model down",
    "systemic_index": "systemic index, 0 is independence and 1 the most that the error rates allow",
    "multiplicity.ambiguity": "ambiguity, instances on which near-best models disagree",
    "discrepancy": "discrepancy, most answers that switching to a near-best model changes",
    "self_consistency": "self-consistency, two runs of one model agree",
    "rashomon_capacity": "Rashomon capacity",
    "pair_position": "where pairs stand, 0 is independence and 1 two runs of one model",
    "agreement_line_r2": "R² of agreement on the line",
    "disagreement_estimate": "error as told by disagreement",
    "ece_vote": "calibration error of the mean of the probabilities",
    "brier_vote": "Brier score of the mean of the probabilities",
    "mean_error": "mean error of the models",
    "majority_error": "error of the majority",
    "good_diversity": "good diversity, disagreement where the majority is right",
    "bad_diversity": "bad diversity, disagreement where the majority is wrong",
    "net": "what the vote gains over the average model",
    "mean_log_loss": "mean log loss of the models",
    "ensemble_log_loss": "log loss of the mean of their probabilities",
    "ensembles.ambiguity": "ambiguity, what averaging takes off the log loss",
    "mean_brier": "mean Brier score of the models",
    "brier_variance": "variance of the probabilities, what averaging takes off the Brier score",
    "ensemble_brier": "Brier score of the mean of their probabilities",
    "capa": "mean CAPA, chance-adjusted probability of the same answer",
    "hellinger_squared": "mean squared Hellinger distance",
    "portfolio.error": "error of the portfolio",
    "portfolio.log_loss": "log loss of the portfolio",
    "portfolio.calibration": "calibration error of the portfolio, without what chance adds",
    "portfolio.squared_error": "mean squared error of the portfolio",
    "r_squared": "R², share of the truth's variance that is predicted",
    "portfolio.n_eff": "n_eff of its members",
    "portfolio.all_wrong": "instances that all members fail",
    "worst_group": "largest error over groups",
    "worst_shift": "largest error over shifted test sets",
    "optimism": "loss where it was certified less loss where it was chosen",
    "nested_optimism": "the same within the selection instances, the whole choice repeated",
    "rho": "ρ, mean error correlation",
    "common": "share common to all models",
    "rho_population": "ρ of the population that these models are drawn from",
}
"""Names of numbers; ``chapter.number`` where two chapters use the same name."""

COLUMNS = {
    key: HEADINGS[key] for key in ("model_a", "model_b", "n", "rho", "kappa", "all_wrong") if key in HEADINGS
} | {"fpr": "false positive rate", "tpr": "true positive rate", "ece": "ECE", "cramers_v": "Cramér's V"}
"""What the columns of the chapters' tables are called."""

TABLES = {
    "levers.effects": "A row per lever and number. Plain and pulled: the number without and with the lever; change: "
    "their difference, of n_eff and costs their ratio; q: p adjusted over levers, which costs do not have.",
    "levers.standings": "The replicates of each recipe: mean accuracy, and as how many independent models they fail "
    "(n_eff with its limits, ρ their mean error correlation).",
    "breeding.history": "Loss: of the best mixture of all models so far; gain: what the generation took off it. "
    "Elites: new models that are children of elites; advised: new models proposed by a model of past gains.",
    "breeding.elites": "Instances that are failed alike form numbered groups. Fails: the group that a model fails most "
    "beyond the others; covers: the one it fails least. Of all models with the same two, the elite has the least loss.",
}
"""How to read a table, by ``chapter.table``."""


def title_of(name: str) -> str:
    """The name of a chapter or table as a title."""
    return name.upper() if name in ("roc", "auc") else name.replace("_", " ").capitalize()


def number_name(section: str, name: str) -> str:
    """The number in words."""
    return NUMBERS.get(f"{section}.{name}", NUMBERS.get(name, name.replace("_", " ")))


def number_table(section: Section) -> DisplayTable:
    """One row per number: name, estimate with its interval, what it rests on, how it was made, what to beware of."""
    rows = [
        {
            "number": number_name(section.name, name),
            "estimate": f"{digits(i.estimate)} {_limits(i)}".strip(),
            "n": i.n or None,
            "method": i.method,
            "remark": i.reason,
        }
        for name, i in section.numbers.items()
    ]
    told = [key for key in rows[0] if any(row[key] for row in rows)]
    return table(pd.DataFrame(rows)[told], headings={})


def _limits(i: Interval) -> str:
    if math.isnan(i.low) or math.isnan(i.high):
        return ""
    level = "" if i.level == 0.95 else f" ({100 * i.level:g}\u00a0%)"
    return f"[{digits(i.low)}, {digits(i.high)}]{level}"


def digits(value: float) -> str:
    """A number with three digits that say something, ∞ and – for what has none."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if 0 < abs(value) < 1e-4:
        return f"{value:.1e}"
    return f"{value:#.3g}".removesuffix(".")
