"""What do the numbers mean, in plain sentences? Every sentence says what was counted and against what."""

from __future__ import annotations

import math

import numpy as np

from polyculture.results import Audit, NullModel
from polyculture.results.summary import count, number, p_value
from polyculture.results.tables import PATTERN as PATTERN
from polyculture.stats import Interval, every, plural

DOES_NOT_PROVE = (
    (
        "Similar is not wrong.",
        "Models also fail alike because the same instances are hard, ambiguous or mislabelled. A shared failure is a "
        "reason to look, not a verdict.",
    ),
    (
        "Different is not better.",
        "A set that errs in many different ways can still be worse than its best member: read diversity together with "
        "accuracy.",
    ),
    (
        "How much is due to difficulty cannot be told from these errors alone.",
        "Models that copy each other and independent models that find the same instances hard leave the same "
        "failure counts. The level of homogenization beyond instance difficulty needs outside information: "
        "other systems, human answers, annotator disagreement.",
    ),
    (
        "Association is not cause.",
        "That models of one kind are more alike does not show that the kind makes them so; whatever else they share, "
        "recorded or not, could.",
    ),
    (
        "The intervals speak of instances.",
        "They say how far the numbers would move with other instances from the same source. The models are taken as "
        "they are: nothing here speaks of models outside this set.",
    ),
    (
        "Labels are taken as true.",
        "A wrong label makes every good model fail at once and so looks like homogenization.",
    ),
)
"""What a reader must not conclude: a headline and why."""


NOT_IDENTIFIED = (
    "No null model can remove the difficulty of the instances by means of these errors alone. Any null that keeps how "
    "many models fail each instance has a mean excess of exactly zero over all pairs, whatever the models share: "
    "only which pairs are more alike than others can be tested. Shared difficulty and shared causes leave the same "
    "traces; to tell them apart takes outside information, such as other systems or human answers."
)
"""Why no null model goes further (non-identifiability of the level)."""


def null_model_label(null_model: NullModel) -> str:
    """``N1 · given each model's error rate within the true class``"""
    if null_model.name == PATTERN:
        return f"{null_model.name} · pattern only, descriptive · given {null_model.given.partition(',')[0]}"
    return f"{null_model.name} · given {null_model.given}"


def null_model_value(null_model: NullModel, models: int) -> str:
    """n_eff of a null model in words: above the number of models it says only that."""
    n = null_model.n_eff
    if n.defined and n.estimate > models:
        return f"≥ {models}: none detected"
    return n.format(".2f")


def meaning(audit: Audit) -> list[str]:
    """Two or three sentences under the headline: what it means, against what, how sure."""
    null_model, m = audit.null_model(audit.headline), audit.n_models
    n = null_model.n_eff
    if not n.defined:
        return [
            f"The effective number of independent models does not exist for these {m} models: "
            f"{n.reason or 'undefined'}.",
            "The sections below show what can be said without it.",
        ]
    if math.isinf(n.estimate):
        first = "Whenever one of them fails another makes up for it: the number of failing models never varies."
    elif n.estimate > m:
        first = (
            f"A vote among these {m} models varies no more than a vote of {m} independent models as accurate as they."
        )
    else:
        first = (
            f"A vote among these {m} models varies as much as a vote of {n.estimate:.1f} independent models "
            "of the same accuracies."
        )
    reason = audit.facts.get("class_not_used", "")
    leads = (
        [f"N0 leads, and not N1 (given the true class), because {reason}."] if audit.headline == "N0" and reason else []
    )
    return [first, *_against(null_model), *leads]


def _against(null_model: NullModel) -> list[str]:
    null = f"given {null_model.given} (null {null_model.name})"
    verdict = "is rejected" if null_model.p < 0.05 else "is not rejected"
    sentences = [f"Independence here means independent errors, {null}."]
    if not math.isnan(null_model.p):
        tested = f"(z\u00a0=\u00a0{null_model.z:.1f}, {p_value(null_model.p)})"
        sentences = [f"That they err independently, {null}, {verdict} {tested}."]
    if null_model.rho.defined:
        sentences.append(
            "To compare with a set of another size use the mean error correlation, "
            f"ρ\u00a0=\u00a0{null_model.rho.format('.3f').replace(' ', chr(160))}."
        )
    return sentences


def null_models(audit: Audit) -> str:
    """What the null models show."""
    levels = [null_model for null_model in audit.null_models if null_model.name != PATTERN] or list(audit.null_models)
    first, last = levels[0], levels[-1]
    if not (first.n_eff.defined and last.n_eff.defined):
        return "How many independent models the set is worth, against each null."
    if last.n_eff.estimate > audit.n_models:
        return f"Given {last.given}, no homogenization is left."
    if first is last:
        return f"Given {first.given}, the set is worth {first.n_eff.estimate:.2f} independent models."
    return (
        f"Given {last.given}, the set is worth {last.n_eff.estimate:.2f} independent models; "
        f"given only {first.given}, {number(first.n_eff.estimate)}."
    )


def null_models_caption(audit: Audit) -> str:
    """How to read the figure of the null models."""
    pattern = any(null_model.name == PATTERN for null_model in audit.null_models)
    descriptive = " Diamond: descriptive, it shows the pattern, not the level." if pattern else ""
    return (
        "Each null lets models share something without counting it as similarity. Dot: effective number of independent "
        "models; bar: 95 % interval; dashed: what independent models would reach. The filled colour marks the null of "
        f"the first sentence.{descriptive}"
    )


def leaderboard(audit: Audit) -> str:
    """How many pairs can be told apart."""
    s = audit.leaderboard
    if not s.pairs_tested:
        return "No pair of models could be tested."
    if s.pairs_tested == 1:
        return f"The pair {'can' if s.pairs_apart else 'cannot'} be told apart by accuracy."
    return f"{count(s.pairs_apart)} of {count(s.pairs_tested)} pairs can be told apart by accuracy."


def leaderboard_caption(rows: int, lines: bool, models: int) -> str:
    """How to read the figure of the models: how many of them are drawn, and whether with lines for the letters."""
    selection = "" if rows == models else f"The best and the last {rows // 2} of {count(models)} models. "
    legend = (
        "Dots on one line at the right: models that no test tells apart"
        if lines
        else ("Models that share a letter in the table cannot be told apart")
    )
    return (
        f"{selection}Dot: accuracy; pale bar: 95 % interval. {legend} (paired tests, corrected for testing all pairs)."
    )


def pairwise_caption(cells: int, models: int) -> str:
    """How to read the matrix, which may be drawn in blocks of neighbours."""
    size = -(-models // cells)
    blocks = f"Each cell is the mean over {size} by {size} neighbours, named after the first. " if size > 1 else ""
    return (
        f"{blocks}κ is agreement in being right or wrong beyond what the two accuracies alone would give: 0 is chance, "
        "1 is failing the very same instances. Rows and columns are in the same order, alike models side by side; "
        "pale grey is undefined."
    )


def pairwise(audit: Audit) -> str:
    """How alike the pairs are."""
    frame = audit.pairwise.frame()
    pairs = frame[np.isfinite(frame["kappa"])].sort_values("kappa", ascending=False, kind="stable")
    if not len(pairs):
        return "Error consistency is defined for no pair."
    a, b, kappa = (pairs[column].iloc[0] for column in ("model_a", "model_b", "kappa"))
    if len(pairs) == 1:
        return f"Between {a} and {b} κ\u00a0=\u00a0{kappa:.2f}."
    mean = pairs["kappa"].mean()
    return f"On average κ\u00a0=\u00a0{mean:.2f}; the most alike are {a} and {b} (κ\u00a0=\u00a0{kappa:.2f})."


def systemic(audit: Audit) -> str:
    """How often all fail at once, against the null."""
    s = audit.systemic
    if not s.rate.defined:
        return "How often all models fail together is not defined here."
    models = every(audit.n_models, "model").capitalize()
    reason = audit.facts.get("class_not_used", "")
    tested = f" ({p_value(s.p)})" if not math.isnan(s.p) else ""
    given_class = _few(float(s.expected[-1]))
    raw = "" if math.isnan(s.expectation_raw) else _few(s.expectation_raw * s.n)
    if reason and audit.facts.get("classes"):
        expected = (
            f"if they erred independently at their overall error rates, {given_class} would be expected (not given "
        )
        expected += f"the true class: {reason})"
    elif raw in ("", given_class):
        expected = f"if they erred independently, {given_class} would be expected"
    else:
        expected = f"if they erred independently within the true class, {given_class} would be expected, and {raw} "
        expected += "at their overall error rates"
    return f"{models} fail {count(float(s.observed[-1]))} of {plural(s.n, 'instance')}; {expected}{tested}."


def _few(expected: float) -> str:
    """An expected count, however small."""
    if expected >= 10:
        return count(expected)
    return f"{expected:.2g}" if expected >= 1e-3 else "fewer than 0.001" if expected else "none"


def hardest(audit: Audit) -> str:
    """How many instances are listed and how hard they are."""
    table = audit.systemic.hardest
    if not len(table):
        return "No instance is failed by nearly all models."
    rows, by_all = len(table), int((table["wrong"] == table["models"]).sum())
    least = math.floor(100 * float((table["wrong"] / table["models"]).min()))
    everywhere = int(audit.systemic.observed[-1])
    if everywhere > rows:
        return f"{count(everywhere)} instances are failed by every model; {count(rows)} of them are listed."
    if by_all == rows:
        return f"{'This instance is' if rows == 1 else f'These {count(rows)} instances are'} failed by every model."
    if rows == 1:
        return f"One instance is failed by {least}\u00a0% of the models."
    every_model = "none" if not by_all else count(by_all)
    return (
        f"These {count(rows)} instances are failed by {least}\u00a0% of the models or more, "
        f"{every_model} of them by every model."
    )


def shifts(audit: Audit) -> str:
    """What happens along the shifts."""
    estimates = sorted(
        (float(row["n_eff"]), f"{row['shift']}, severity {row['severity']:g}")
        for row in audit.shifts.dropna(subset=["n_eff"]).to_dict("records")
    )
    if not estimates:
        return "The effective number of models is defined on none of the shifted test sets."
    (low, where_low), (high, where_high) = estimates[0], estimates[-1]
    return (
        f"Across the shifts the set is worth between {low:.2f} ({where_low}) and {high:.2f} ({where_high}) "
        "independent models."
    )


def methods(audit: Audit) -> list[tuple[str, str]]:
    """How the intervals were made: (numbers, method), one line per method."""
    intervals: list[tuple[str, Interval]] = [(f"n_eff ({r.name})", r.n_eff) for r in audit.null_models]
    intervals += [(f"ρ ({r.name})", r.rho) for r in audit.null_models] + [("failed by all", audit.systemic.rate)]
    names_by_method: dict[str, list[str]] = {}
    for name, i in intervals:
        description = f"{i.method}, {100 * i.level:g} %, {plural(i.n, 'instance')}" if i.method else ""
        method = "; ".join(part for part in (description, i.reason) if part)
        if method:
            names_by_method.setdefault(method, []).append(name)
    return [(", ".join(names), method) for method, names in names_by_method.items()]
