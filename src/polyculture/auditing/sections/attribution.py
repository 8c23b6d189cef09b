"""Why are they alike? The mean error covariance split among what the models share, each part tested.

shares (exact, with intervals over instances and over models) · ladder (factors within factors) · tests · levels ·
interactions · confounding · carriers (instances)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.measures.attribution.covariance_split import Identifiability, correlation, identifiability
from polyculture.measures.attribution.per_instance import StratifiedErrors, error_covariance, instance_parts
from polyculture.predictions import Predictions
from polyculture.recipe import Ingredient
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent, plural

from ..attribution.fit import Sampling, SimilaritySplit, split_of
from ..attribution.response import COVARIANCE, Given, Similarity, similarity_of
from ..attribution.shares import FactorFit, ladder, shares
from ..attribution.tables import carriers, confounding, error_rates, interactions, levels, tests
from ..context import AuditContext
from ..factors import codes_of, ingredients

FEW_MODELS = 12
ALPHA = 0.05
SHARES = ("share", "share_low", "share_high", "share_models_low", "share_models_high")
ASSOCIATION = (
    "This is association, not effect: the models did not get their ingredients by chance, and what is not recorded "
    "can stand behind what is."
)
EFFECT = "The combinations were assigned by design, so these are effects within the population that was designed."


def attribute(
    predictions: Predictions,
    factors: Sequence[str] | None = None,
    *,
    strata: str | None = None,
    clusters: str | None = None,
    permutations: int = 1999,
    seed: int = 0,
    level: float = 0.95,
    designed: bool = False,
    similarity: Given | Similarity = COVARIANCE,
) -> Section:
    """How much of the models' alikeness goes with each thing they share: shares of ρ that sum to ρ, and tests.

    Parameters
    ----------
    predictions : who answered what; its model table says what the models are made of.
    factors : columns of the model table; by default all that hold names or few numbers (`factors.ingredients`).
    strata : column of the instance table within which covariances are taken; the true class where there are classes.
    clusters : column of the instance table that says which instances were sampled together.
    permutations : of each test; the smallest possible p is 1/(permutations + 1).
    seed : of the permutations.
    level : confidence level of the intervals.
    designed : whether the ingredients were assigned by design (crossed, or drawn); only then is it called an effect.

    similarity : what is split instead of the error covariance: the name of another measure of pairs (kappa, capa,
        both_wrong_agreement, …; "capa of probabilities"), or a symmetric matrix, as a table with the models' names or
        an array in their order. Its mean takes the place of ρ; factors are tested in the same way.

    Tables: shares, ladder (where factors lie within each other), tests, levels, confounding; of covariances also
    interactions and carriers. With fewer than 12 informative models, or no factor, the section only has a reason.
    Raises InputError for unknown columns and similarities. Source: Haseman and Elston 1972.
    """
    strata_codes = _strata(predictions, strata)
    groups = None if clusters is None else codes_of(predictions.instances, clusters)
    factor_columns = ingredients(predictions.models, factors)
    response = None
    if not (isinstance(similarity, str) and similarity == COVARIANCE):
        response = similarity_of(predictions, similarity, groups)
    informative = _informative(predictions)
    if response is not None and not isinstance(similarity, str):
        informative = response.defined
    if informative.sum() < FEW_MODELS:
        n = int(informative.sum())
        kind = " with both right and wrong answers" if response is None or isinstance(similarity, str) else ""
        return SPEC.skip(f"{plural(n, 'model')}{kind}; attribution needs {FEW_MODELS} or more")
    if not factor_columns:
        return SPEC.skip("the model table does not say what the models are made of")
    factor_columns = [_take(ingredient, informative) for ingredient in factor_columns]
    observed = None if predictions.observed is None else predictions.observed[informative]
    errors = StratifiedErrors(predictions.wrong[informative], strata_codes, observed)
    test = partial(_tests, error_rates(errors), permutations, seed)
    if response is not None:
        tables, fit = _of_similarity(response.take(informative), factor_columns, level, test)
        return SPEC.answer(_sentence(fit, tables, designed, response.name), _numbers(fit, "mean"), tables)
    covariance = error_covariance(errors)
    splitter = partial(_split, errors, covariance, groups, level)
    fit = _fit(factor_columns, splitter)
    tables = _tables(fit, splitter, partial(test, correlation(covariance)))
    sampling = fit.split.sampling
    tables["interactions"] = interactions(errors, covariance, factor_columns, fit.gate, sampling)
    tables["confounding"] = confounding(factor_columns, fit.gate)
    tables["carriers"] = carriers(predictions, informative, fit.split.draws, factor_columns, fit.regressors, fit.gate)
    return SPEC.answer(_sentence(fit, tables, designed), _numbers(fit), tables)


def _take(ingredient: Ingredient, models: Bool[np.ndarray, " m"]) -> Ingredient:
    words = tuple(np.array(ingredient.words, dtype=object)[models])
    return Ingredient(ingredient.name, ingredient.factor.take(models), words, ingredient.cells[models])


def _fit(factors: list[Ingredient], splitter: Callable[[list[Ingredient]], SimilaritySplit]) -> FactorFit:
    """Which factors are identifiable, and the split among those that say something."""
    gate = identifiability([i.factor for i in factors])
    regressors = [int(f) for f in np.flatnonzero(~gate.left_out)]
    return FactorFit(factors, gate, regressors, splitter([factors[f] for f in regressors]))


def _split(
    errors: StratifiedErrors,
    covariance: Float[np.ndarray, "m m"],
    clusters: Int[np.ndarray, " n"] | None,
    level: float,
    factors: list[Ingredient],
) -> SimilaritySplit:
    """The covariance split among these factors, and what each instance adds to each coefficient."""
    m, variance = len(covariance), float(np.diag(covariance).mean())
    covariance_split = split_of(covariance, factors)
    scale = 2 * np.eye(m)[None] / (m * variance)
    parts = instance_parts(errors, covariance, np.concatenate([covariance_split.weights, scale]))
    influence = parts[:-1] - covariance_split.coefficients[:, None] * parts[-1]
    sampling = Sampling(errors.used, clusters, level)
    return SimilaritySplit(covariance / variance, covariance_split, influence, sampling, parts[:-1])


def _tests(
    rates: Float[np.ndarray, " m"],
    permutations: int,
    seed: int,
    response: Float[np.ndarray, "m m"],
    factors: list[Ingredient],
    gate: Identifiability,
) -> pd.DataFrame:
    return tests(response, rates, factors, gate, permutations, seed)


def _tables(
    fit: FactorFit,
    splitter: Callable[[list[Ingredient]], SimilaritySplit],
    tester: Callable[[list[Ingredient], Identifiability], pd.DataFrame],
    covariances: bool = True,
) -> dict[str, pd.DataFrame]:
    """The tables that every similarity has, but the last."""
    tables = {"shares": shares(fit, covariances)}
    if fit.gate.chains:
        tables["ladder"] = ladder(fit, splitter, tester)
    tables["tests"] = tester(fit.factors, fit.gate)
    tables["levels"] = levels(fit.split.parts, fit.factors, fit.regressors)
    return tables


def _of_similarity(
    similarity: Similarity, factors: list[Ingredient], level: float, test: Callable[..., pd.DataFrame]
) -> tuple[dict[str, pd.DataFrame], FactorFit]:
    """Tables and fit of a similarity that is no covariance."""

    def splitter(regressors: list[Ingredient]) -> SimilaritySplit:
        return similarity.split(regressors, level)

    fit = _fit(factors, splitter)
    tables = _tables(fit, splitter, partial(test, similarity.matrix), covariances=False)
    return tables | {"confounding": confounding(factors, fit.gate)}, fit


def _numbers(fit: FactorFit, mean: str = "rho") -> dict[str, Interval]:
    """ρ (or the mean of another similarity) and the share of every identifiable part."""
    numbers = {mean: fit.split.mean, "common": fit.split.share([0])}
    for f in np.flatnonzero(fit.gate.estimable):
        numbers[fit.factors[f].name] = fit.split.share(fit.rows([int(f)]))
    return numbers


def _sentence(fit: FactorFit, tables: dict[str, pd.DataFrame], designed: bool, similarity: str = "") -> str:
    """The answer in words: what is common, what goes with what, what shows no association, what is not identifiable."""
    mean, verb = fit.split.mean, "comes from" if designed else "goes with"
    name = f"mean {similarity} = " if similarity else "ρ = "
    if not fit.split.share([0]).defined:
        return (
            f"{name}{mean.format('.3f')}: the models are not more alike than chance, so there is nothing to attribute."
        )
    tested = tables["tests"].sort_values("p")
    p = dict(zip(tested["factor"].astype(str), tested["p"].astype(float), strict=True))
    significant = tested.loc[tested["q"] <= ALPHA, "factor"].astype(str).tolist()
    parts = [f"{_share(fit, [])} is common to all models"]
    names = [i.name for i in fit.factors]
    parts += [f"{_share(fit, [names.index(f)])} {verb} sharing {f} (p {_p(p[f])})" for f in significant]
    start = (
        f"Of the {name}{mean.format('.3f')}"
        if similarity
        else f"Of the mean error covariance ({name}{mean.format('.3f')})"
    )
    text = f"{start}, {'; '.join(parts)}."
    insignificant = [factor for factor in p if factor not in significant]
    if insignificant:
        text += f" No {'effect' if designed else 'association'} was found for {', '.join(insignificant)}."
    if "ladder" in tables:
        text += _rungs(tables["ladder"])
    mixed = (
        tables["confounding"]
        .query("told_apart and not nested and note != ''")
        .sort_values("cramers_v", ascending=False)
    )
    if len(mixed):
        row = mixed.to_dict("records")[0]
        text += f" {row['first']} and {row['second']} go together over models (Cramér's V {row['cramers_v']:.2f}"
        suffix = {1: "", 2: "; 1 more pair does"}.get(len(mixed), f"; {len(mixed) - 1} more pairs do")
        text += f"{suffix}): to be surer, {row['note']}."
    refused = [str(f) for f in tables["shares"].query("kind == 'together'")["factor"]]
    if refused:
        text += f" What cannot be told apart here: {'; '.join(refused)}."
    return f"{text} {EFFECT if designed else ASSOCIATION}"


def _rungs(table: pd.DataFrame) -> str:
    """The first ladder in words: what each step to a finer factor adds."""
    name = str(table["ladder"].iloc[0])
    rows = table[table["ladder"] == name].to_dict("records")
    steps = [f"{row['factor']} {percent(row['share'])} (p {_p(row['p'])})" for row in rows[1:]]
    return f" On the ladder {name}, sharing adds, from coarse to fine: {', '.join(steps)}."


def _share(fit: FactorFit, group: list[int]) -> str:
    """A share of ρ as people read it, with limits over instances and, where there are enough models, over models."""
    over_models = fit.over_models(group)[1]
    text = percent_of(fit.split.share(fit.rows(group) or [0]))
    return text if math.isnan(over_models.high) else f"{text} (over models {percent_of(over_models).split(' % ')[1]})"


def percent_of(share: Interval) -> str:
    """A share of ρ as people read it: ``31 % [28, 34]``; with a decimal where the limits are that close."""
    digits = 0 if share.high - share.low >= 0.02 else 1
    # Adding 0 makes a rounded −0 a 0.
    low, high = (f"{round(100 * limit, digits) + 0.0:.{digits}f}" for limit in (share.low, share.high))
    limits = "" if math.isnan(share.high) else f" [{low}, {high}]"
    return f"{100 * share.estimate:.{digits}f} %{limits}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _informative(predictions: Predictions) -> Bool[np.ndarray, " m"]:
    """Models with both right and wrong answers."""
    wrong, observed = predictions.wrong, predictions.observed
    n_answered = np.full(len(wrong), wrong.shape[1]) if observed is None else observed.sum(axis=1)
    errors = wrong.sum(axis=1)
    informative: Bool[np.ndarray, " m"] = (errors > 0) & (errors < n_answered)
    return informative


def _strata(predictions: Predictions, column: str | None) -> Int[np.ndarray, " n"]:
    if column is not None:
        return codes_of(predictions.instances, column)
    if predictions.has_fixed_classes and predictions.labels is not None:
        return np.unique(predictions.labels, return_inverse=True)[1].astype(np.int64)
    return np.zeros(predictions.shape[1], dtype=np.int64)


def _compute(context: AuditContext, *_: object) -> Section:
    o = context.options
    clusters, table = o.clusters or None, context.predictions
    return attribute(table, clusters=clusters, seed=o.seed, level=o.level, designed=o.designed, similarity=o.similarity)


SPEC = SectionSpec(
    "attribution",
    "Why are they alike?",
    place=10,
    compute=_compute,
    numbers={"common": "share common to all models"},
    tables={
        "shares": TableSpec(percent=SHARES),
        "ladder": TableSpec(percent=SHARES),
        "confounding": TableSpec(headings={"cramers_v": "Cramér's V"}),
    },
)
