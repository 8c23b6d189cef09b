"""Which coalitions of features are tried, and how do their values become attributions? Always by a matrix.

Occlusion, LIME, Shapley values and KernelSHAP differ in nothing else: a plan is a table of coalitions (which players
are present) and a linear map from the values of the coalitions to one number per player.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from polyculture.errors import InputError

MOST_EXACT = 12
"""Players up to which all 4,096 coalitions may be tried."""
LIME_WIDTH = 0.25
"""Width of LIME's kernel, in cosine distance from the unchanged input; as lime's for images and texts."""
RIDGE = 1.0
"""Weight of LIME's penalty on squared coefficients; as lime's."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Coalitions and what is made of their values.

    Parameters
    ----------
    masks : which players are present in each coalition.
    weights : attributions = weights @ values.
    """

    masks: Bool[np.ndarray, "k g"]
    weights: Float[np.ndarray, "g k"]


Planner = Callable[[int, np.random.Generator], Plan]
"""From a number of players, and where sampling is needed a source of randomness, to a plan."""


@lru_cache(maxsize=64)
def occlusion_plan(players: int) -> Plan:
    """The value of the input less its value without each player in turn; deterministic. Source: Zeiler and Fergus 2014.

    Exact contributions where effects are additive. Players that can stand in for one another all get 0.
    """
    masks = np.concatenate([~np.eye(players, dtype=bool), np.ones((1, players), bool)])
    return Plan(masks, np.concatenate([-np.eye(players), np.ones((players, 1))], axis=1))


@lru_cache(maxsize=16)
def exact_shapley_plan(players: int) -> Plan:
    """Shapley values from all coalitions; deterministic. Source: Shapley 1953."""
    masks = (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1
    sizes = masks.sum(axis=1)
    joining = np.array([1 / (players * math.comb(players - 1, size)) for size in range(players)])  # to one of this size
    weights = np.where(
        masks, joining[np.maximum(sizes - 1, 0)][:, None], -joining[np.minimum(sizes, players - 1)][:, None]
    )
    return Plan(masks, np.ascontiguousarray(weights.T))


def shapley_plan(players: int, rng: np.random.Generator, orders: int = 25) -> Plan:
    """Shapley values from random orders in which players join; exact where all coalitions are no more than those.

    Parameters
    ----------
    orders : 2 or more; each is followed by its reverse, so an odd number is rounded up.

    Contributions sum to the value of the input less that of the reference, whatever the number of orders.
    Source: Castro et al. 2009; reverse orders as in Mitchell et al. 2022.
    """
    _need_samples("orders", "Shapley sampling", orders, 2, players)
    if players <= MOST_EXACT and 2**players <= orders * max(players - 1, 1) + 2:
        return exact_shapley_plan(players)
    halves = np.argsort(rng.random((-(-orders // 2), players)), axis=1)
    joined = np.concatenate([halves, halves[:, ::-1]])
    ranks = np.argsort(joined, axis=1)
    # Coalition j of an order has its first j players; the empty and the full one are shared by all orders.
    masks = ranks[:, None, :] < np.arange(1, players)[None, :, None]
    count = len(joined)
    weights, order = np.zeros((players, count, players + 1)), np.arange(count)[:, None]
    weights[np.arange(players)[None], order, ranks + 1] = 1 / count
    weights[np.arange(players)[None], order, ranks] = -1 / count
    ends = np.array([[False] * players, [True] * players])
    flat = weights[:, :, 1:-1].reshape(players, -1)
    sides = np.stack([weights[:, :, 0].sum(axis=1), weights[:, :, -1].sum(axis=1)], axis=1)
    return Plan(np.concatenate([masks.reshape(-1, players), ends]), np.concatenate([flat, sides], axis=1))


def kernel_shap_plan(players: int, rng: np.random.Generator, samples: int = 500) -> Plan:
    """Shapley values by weighted least squares on coalitions; sizes are tried in full as far as the samples suffice.

    Parameters
    ----------
    samples : coalitions, twice the players or more.

    Contributions sum to the value of the input less that of the reference. Source: Lundberg and Lee 2017, with pairs of
    complementary coalitions as in Covert and Lee 2021.
    """
    _need_samples("samples", "KernelSHAP", samples, 2 * players, players)
    if players <= MOST_EXACT and 2**players <= samples + 2:
        return exact_shapley_plan(players)
    masks, mass = _kernel_coalitions(players, samples, rng)
    ends = np.array([[False] * players, [True] * players])
    return Plan(np.concatenate([masks, ends]), _constrained(masks.astype(float), mass))


def _kernel_coalitions(
    players: int, budget: int, rng: np.random.Generator
) -> tuple[Bool[np.ndarray, "k g"], Float[np.ndarray, " k"]]:
    """Coalitions with their weights in the Shapley kernel: all of the outermost sizes, a sample of the inner ones."""
    sizes = np.arange(1, players)
    mass = 1 / (sizes * (players - sizes))
    mass = mass / mass.sum()
    tables, weights, spared = [], [], budget
    depth = 0  # sizes 1 … depth and their complements are complete
    while depth < players // 2:
        size = depth + 1
        sides = 1 if 2 * size == players else 2
        count = sides * math.comb(players, size)
        inner_mass = float(mass[depth : players - 1 - depth].sum())
        if spared * (sides * mass[depth] / inner_mass) < count - 1e-9:
            break
        half = _all_of_size(players, size)
        tables.append(half if sides == 1 else np.concatenate([half, ~half]))
        weights.append(np.full(count, sides * mass[depth] / count))
        spared, depth = spared - count, size
    inner_mass = float(mass[depth : players - 1 - depth].sum())
    if spared > 1 and inner_mass > 0:
        inner = np.arange(depth + 1, players - depth)
        draws = rng.choice(inner, size=spared // 2, p=mass[inner - 1] / mass[inner - 1].sum())
        half = np.argsort(np.argsort(rng.random((len(draws), players)), axis=1), axis=1) < draws[:, None]
        tables.append(np.concatenate([half, ~half]))
        weights.append(np.full(2 * len(draws), inner_mass / (2 * len(draws))))
    return np.concatenate(tables), np.concatenate(weights)


def _all_of_size(players: int, size: int) -> Bool[np.ndarray, "k g"]:
    members = np.array(list(combinations(range(players), size)))
    masks = np.zeros((len(members), players), bool)
    np.put_along_axis(masks, members, True, axis=1)
    return masks


def _constrained(Z: Float[np.ndarray, "k g"], mass: Float[np.ndarray, " k"]) -> Float[np.ndarray, "g k2"]:
    """Weights of values (of the coalitions, the empty and the full one) in the least squares under the sum constraint.

    Minimizes Σ mass (v − v₀ − Z φ)² where Σ φ = v₁ − v₀: φ = A⁺(b − 1 (1ᵀA⁺b − (v₁ − v₀))/(1ᵀA⁺1)) with
    A = Zᵀ diag(mass) Z and b = Zᵀ diag(mass) (v − v₀).
    """
    k, g = Z.shape
    inverse = np.linalg.pinv(Z.T @ (mass[:, None] * Z), hermitian=True)
    right = np.zeros((g, k + 2))
    right[:, :k] = Z.T * mass
    right[:, k] = -right[:, :k].sum(axis=1)
    row_sums = inverse.sum(axis=1)
    total = np.zeros(k + 2)
    total[k], total[k + 1] = -1.0, 1.0
    unconstrained = inverse @ right
    constrained: np.ndarray = unconstrained - np.outer(row_sums / row_sums.sum(), unconstrained.sum(axis=0) - total)
    return constrained


def lime_plan(
    players: int, rng: np.random.Generator, samples: int = 500, width: float = LIME_WIDTH, ridge: float = RIDGE
) -> Plan:
    """Coefficients of a ridge regression on coalitions near the input (LIME; Ribeiro et al. 2016).

    Parameters
    ----------
    samples : coalitions, twice the players or more. How many players are absent is drawn evenly from 1 to all, and then
        which ones; one coalition is the input itself.
    width : of the kernel exp(−(d/width)²), d the cosine distance to the input.
    ridge : penalty on the squared coefficients (not on the intercept); its share vanishes as samples grow.

    Tends to exact contributions, and so to Shapley values, where effects are additive; elsewhere it tends to a local
    linear fit, which Shapley values are not.
    """
    _need_samples("samples", "LIME", samples, 2 * players, players)
    absent = rng.integers(1, players + 1, size=samples - 1)
    masks = np.argsort(np.argsort(rng.random((len(absent), players)), axis=1), axis=1) >= absent[:, None]
    masks = np.concatenate([masks, np.ones((1, players), bool)])
    distance = 1 - np.sqrt(masks.mean(axis=1))
    kernel = np.exp(-((distance / width) ** 2))
    Z = masks.astype(float)
    centre = kernel @ Z / kernel.sum()
    centred = Z - centre
    # The centred values have the same weights as the values themselves: weighted rows of a centred table sum to 0.
    weighted = centred.T * kernel
    return Plan(masks, np.linalg.solve(weighted @ centred + ridge * np.eye(players), weighted))


def _need_samples(unit: str, method: str, count: int, least: int, players: int) -> None:
    if count < least:
        wrong = f"{count} {unit} are too few for {method} of {players} features"
        raise InputError(
            wrong, f"{least} or more", "give a larger number of samples, or merge features into larger patches"
        )
