"""Does a number change smoothly with scale, or does something break? Curves with intervals, and a test for a break.

A break is tested on a continuous metric (log-loss), never on a sharp one (exact match): a smooth curve pushed through
a sharp metric looks like a break up to 95 % of the time. Every curve is c + a·g(scale), so that only the shape of g
needs a search, and a bootstrap of hundreds of curves is one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import chdtrc, expit, stdtrit

FEW_SCALES = 8
"""Different scales below which a break cannot be distinguished from a curve."""
BEND = 0.1
"""Width of the bend of a broken power law, in natural logarithms of scale; the data seldom determine it."""

Shape = tuple[float, ...]


def power_law(x: Float[np.ndarray, " n"], shape: Shape) -> Float[np.ndarray, " n"]:
    """scale to the power −α, from x = ln(scale / middle); shape is (α,)."""
    return np.asarray(np.exp(-shape[0] * x))


def broken_power_law(x: Float[np.ndarray, " n"], shape: Shape) -> Float[np.ndarray, " n"]:
    """Exponent α before and β after the break at ln(scale / middle) = t; shape is (α, β, t). Caballero et al. 2022."""
    # log(1 + e^x) by logaddexp: far behind the break e^x overflows although its logarithm is about x.
    first, second, bend = shape
    return np.asarray(np.exp(-first * x - (second - first) * BEND * np.logaddexp(0, (x - bend) / BEND)))


def sigmoid(x: Float[np.ndarray, " n"], shape: Shape) -> Float[np.ndarray, " n"]:
    """Logistic in the logarithm of scale with free ends; shape is (middle, width)."""
    return np.asarray(expit((x - shape[0]) / shape[1]))


FAMILIES: MappingProxyType[str, Callable[[Float[np.ndarray, " n"], Shape], Float[np.ndarray, " n"]]] = MappingProxyType(
    {"power law": power_law, "broken power law": broken_power_law, "sigmoid": sigmoid}
)
"""Curve families by name: how a metric can go with scale."""


@dataclass(frozen=True)
class ScalingCurve:
    """A smooth curve c + a·g(scale), fitted by weighted least squares.

    Parameters
    ----------
    family : key of `FAMILIES`.
    middle : geometric middle of the scales; shapes refer to ln(scale / middle).
    shape : parameters of g.
    floor, gain : c and a. A power law goes to the floor as scale grows.
    sd : standard deviation of a point of weight 1 around the curve.
    aicc : Akaike's criterion corrected for few points; smaller is better, inf with too few points for the family.
    """

    family: str
    middle: float
    shape: Shape
    floor: float
    gain: float
    sd: float
    aicc: float

    def at(self, scale: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The curve at these scales."""
        return np.asarray(self.floor + self.gain * FAMILIES[self.family](np.log(scale / self.middle), self.shape))


@dataclass(frozen=True, eq=False)
class _ShapeGrid:
    """Every shape of one family, as unit vectors orthogonal to a constant: the best one has the largest product."""

    shapes: list[Shape]
    units: Float[np.ndarray, "g n"]
    usable: Bool[np.ndarray, " g"]

    @classmethod
    def of(cls, family: str, x: Float[np.ndarray, " n"], root: Float[np.ndarray, " n"]) -> _ShapeGrid:
        shapes = _shapes(family, float(x.min()), float(x.max()))
        G = np.stack([FAMILIES[family](x, shape) for shape in shapes])
        constant = root / np.linalg.norm(root)
        weighted = G * root
        # (SC2): floor and gain are linear. With the constant projected out, the residual sum of a shape is the total
        # less one squared product, so hundreds of bootstrap draws share one matrix product.
        orthogonal = weighted - np.outer(weighted @ constant, constant)
        length = np.linalg.norm(orthogonal, axis=1)
        # A shape that is flat over the scales seen is the constant again; its direction is rounding.
        usable = length > 1e-9 * np.maximum(np.linalg.norm(weighted, axis=1), 1e-300)
        return cls(shapes, orthogonal / np.where(usable, length, 1.0)[:, None], usable)

    def best(self, y: Float[np.ndarray, "n b"]) -> list[Shape]:
        """The shape with the smallest sum of squares for each column."""
        # The smallest residual sum has the largest squared product.
        products = np.where(self.usable[:, None], (self.units @ y) ** 2, -1.0)
        return [self.shapes[k] for k in np.argmax(products, axis=0)]


def shape_limits(family: str, x: Float[np.ndarray, " n"]) -> tuple[Shape, Shape]:
    """Smallest and largest parameters of a family's shape that are looked for over these scales (in logarithms)."""
    low, high = float(x.min()), float(x.max())
    reach = high - low
    if family == "sigmoid":
        return (low - reach / 4, 0.01 * reach), (high + reach / 4, reach)
    flat, steep = 0.05 / reach, 15 / reach
    if family == "power law":
        return (flat,), (steep,)
    return (flat, flat, low + reach / 8), (steep, steep, high - reach / 8)


def at_limit(curve: ScalingCurve, scale: Float[np.ndarray, " n"]) -> tuple[bool, ...]:
    """Which parameters of the shape stand at a limit of what is looked for: these scales do not tell them."""
    x = np.log(scale / curve.middle)
    limits = zip(*shape_limits(curve.family, x), strict=True)
    # An exponent is far below its largest as a rule, so its lower limit is met on the scale of that limit itself.
    return tuple(
        value - low < 0.05 * min(abs(low), high - low) or high - value < 0.01 * (high - low)
        for value, (low, high) in zip(curve.shape, limits, strict=True)
    )


def _shapes(family: str, low: float, high: float) -> list[Shape]:
    """Shapes that matter over scales from low to high, in logarithms."""
    reach = high - low
    exponents = np.geomspace(0.05, 15, 14) / reach
    if family == "power law":
        return [(float(a),) for a in np.geomspace(0.05, 15, 240) / reach]
    if family == "sigmoid":
        # Middles a little outside: a curve that only begins to bend has its middle beyond the last scale.
        middles = np.linspace(low - reach / 4, high + reach / 4, 61)
        return [(float(m), float(w)) for m in middles for w in np.geomspace(0.01, 1, 40) * reach]
    breaks = np.linspace(low + reach / 8, high - reach / 8, 25)
    return [(float(a), float(b), float(t)) for a in exponents for b in exponents if a != b for t in breaks]


def fit_curves(
    scale: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"] | None = None
) -> list[ScalingCurve]:
    """The best curve of every family, the one with the smallest AICc first.

    Parameters
    ----------
    scale : of each point, above 0, not all the same.
    y : the metric there.
    weights : 1/variance of each point, up to a factor; all the same where None.
    """
    middle = float(np.exp(np.log(scale).mean()))
    x = np.log(scale / middle)
    root = np.ones(len(y)) if weights is None else np.sqrt(weights / weights.mean())
    curves = []
    for family in FAMILIES:
        start = _ShapeGrid.of(family, x, root).best((y * root)[:, None])[0]
        shape = _refined(family, x, y, root, start)
        curves.append(_curve(family, middle, shape, x, y, root))
    return sorted(curves, key=lambda c: c.aicc)


def _refined(
    family: str, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], root: Float[np.ndarray, " n"], start: Shape
) -> Shape:
    """From the best shape of the grid to the best one near it."""
    lowest, highest = (np.array(limits) for limits in shape_limits(family, x))

    def squares(shape: Float[np.ndarray, " k"]) -> float:
        # Beyond the grid a curve leaves its floor instead of going there, or bends where no scale is (and a negative
        # width is the same curve upside down); no bootstrap draw, which keeps to the grid, could follow.
        if (shape < lowest).any() or (shape > highest).any():
            return math.inf
        return _line(family, x, y, root, tuple(map(float, shape)))[2]

    optimum = minimize(squares, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-14, "maxiter": 400})
    # The simplex can end above where it began; the grid's shape is then the better one.
    return tuple(float(v) for v in optimum.x) if optimum.fun <= squares(np.array(start)) else start


def _line(
    family: str, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], root: Float[np.ndarray, " n"], shape: Shape
) -> tuple[float, float, float]:
    """Floor, gain and weighted sum of squares for one shape."""
    with np.errstate(over="ignore"):
        g = FAMILIES[family](x, shape)
    if not np.isfinite(g).all():
        return math.nan, math.nan, math.inf
    (floor, gain), *_ = np.linalg.lstsq(np.column_stack([root, g * root]), y * root)
    return float(floor), float(gain), float((((y - floor - gain * g) * root) ** 2).sum())


def _curve(
    family: str,
    middle: float,
    shape: Shape,
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    root: Float[np.ndarray, " n"],
) -> ScalingCurve:
    floor, gain, squares = _line(family, x, y, root, shape)
    # (SC3) counts floor, gain and variance besides the shape.
    n, k = len(y), len(shape) + 3
    sd = math.sqrt(squares / max(n - k + 1, 1))
    if n <= k + 1:
        return ScalingCurve(family, middle, shape, floor, gain, sd, math.inf)
    aicc = n * math.log(max(squares, 1e-300) / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    return ScalingCurve(family, middle, shape, floor, gain, sd, aicc)


def redraw_curves(
    curve: ScalingCurve,
    scale: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"] | None,
    generator: np.random.Generator,
    draws: int = 400,
) -> list[ScalingCurve]:
    """Curves of the same family, fitted to points drawn around the given one: a parametric bootstrap."""
    x = np.log(scale / curve.middle)
    root = np.ones(len(x)) if weights is None else np.sqrt(weights / weights.mean())
    # Around the fitted curve, not by resampling points: with a dozen scales a resample often lacks an end.
    noise = generator.standard_normal((len(x), draws)) * (curve.sd / root)[:, None]
    Y = curve.at(scale)[:, None] + noise
    shapes = _ShapeGrid.of(curve.family, x, root).best(Y * root[:, None])
    return [_curve(curve.family, curve.middle, s, x, y, root) for s, y in zip(shapes, Y.T, strict=True)]


@dataclass(frozen=True)
class LevelShift:
    """A sudden shift at one scale, beyond a smooth curve.

    Parameters
    ----------
    at : the scale (geometric middle of two neighbours) with the largest F.
    shift : by how much the metric jumps there; `low` and `high` for a given place.
    f : largest F over the places.
    p : how often a smooth curve with this scatter has so large an F anywhere; nan with fewer than 8 scales.
    """

    at: float
    shift: float
    low: float
    high: float
    f: float
    p: float


def find_break(
    scale: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], generator: np.random.Generator, draws: int = 999
) -> LevelShift:
    """Sup-F test of one level shift against a quadratic in the logarithm of scale.

    Give log-loss on its logarithmic scale, where power laws are nearly quadratic. p is by parametric bootstrap, which
    allows for having looked at all places; at least two scales lie on each side.

    Fewer than 8 different scales, or no scatter: p is nan. Source: Andrews 1993 (sup-F).
    """
    x = np.log(scale)
    steps = np.unique(x)
    undefined = LevelShift(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)
    if len(steps) < FEW_SCALES:
        return undefined
    # Two scales at least on each side: a step behind the last one is that one point's own parameter.
    places = (steps[1:-2] + steps[2:-1]) / 2
    z = (x - x.mean()) / x.std()
    smooth = np.linalg.qr(np.vander(z, 3))[0]
    jumps = (x > places[:, None]).astype(float)
    # (SC4) by projection: every place is one product with the residual, for the data and all draws alike.
    orthogonal = jumps - (jumps @ smooth) @ smooth.T
    length = np.linalg.norm(orthogonal, axis=1)
    units, df = orthogonal / length[:, None], len(x) - 4

    def f_of(Y: Float[np.ndarray, "n b"]) -> Float[np.ndarray, "g b"]:
        residual = Y - smooth @ (smooth.T @ Y)
        part = (units @ residual) ** 2
        return np.asarray(part * df / np.maximum((residual**2).sum(axis=0) - part, 1e-300))

    residual = y - smooth @ (smooth.T @ y)
    sd = math.sqrt(float(residual @ residual) / (df + 1))
    if sd < 1e-12 * max(1.0, float(np.abs(y).max())):
        return undefined
    f = f_of(y[:, None])[:, 0]
    best = int(np.argmax(f))
    # The maximum over places of each draw: this is what allows for having looked everywhere. The smooth part needs no
    # drawing, as F does not depend on it.
    null = f_of(generator.standard_normal((len(x), draws)) * sd).max(axis=0)
    shift = float(units[best] @ residual / length[best])
    error = abs(shift) / math.sqrt(f[best]) if f[best] > 0 else math.nan
    reach = float(stdtrit(df, 0.975)) * error
    p = (1 + int((null >= f[best]).sum())) / (draws + 1)
    return LevelShift(float(np.exp(places[best])), shift, shift - reach, shift + reach, float(f[best]), p)


def push_through(
    observed: Float[np.ndarray, " k"], predicted: Float[np.ndarray, " k"], variance: Float[np.ndarray, " k"]
) -> float:
    """p-value of the sharp metric being no more than the continuous one pushed through its definition (χ²).

    Parameters
    ----------
    observed : the sharp metric of each model.
    predicted : what a smooth continuous metric implies for it.
    variance : of the difference, from the instances and the seeds.
    """
    square = float(((observed - predicted) ** 2 / np.maximum(variance, 1e-6)).sum())
    return float(chdtrc(len(observed), square))
