"""Of how few different weights can a layer be made? A table of values, and for each weight the place in it.

Weights are shared by k-means, layer by layer (Han et al. 2016, section 3): no retraining, as fast as before, smaller.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.models.fitted import Fitted

from ..context import CompressionContext
from .stored_graphs import Restored, replace_weights, simplified_graph, stored_graph

BITS, PAIRED, MOST = 32, 4, 16
"""Bits of a weight; so many or fewer share a byte; more save nothing."""
ROUNDS = 100


def cluster_weights(model: Fitted, strength: float, context: CompressionContext) -> Fitted:  # noqa: ARG001
    """The model whose layers have few different weights each; the weights come back when the graph is loaded.

    Parameters
    ----------
    strength : share of the 32 bits of a weight that is taken away: .75 leaves 256 values, .875 leaves 16; 0 all.

    A weight of exactly 0 stays 0. Layers with no more weights than values stay as they are, as do biases.
    """
    bits = max(1, round(BITS * (1 - strength)))
    if bits > MOST:
        return model
    proto = simplified_graph(model)
    replace_weights(proto, partial(_clustered, bits=bits), dimensions=2)
    return stored_graph(model, proto)


def clusters(weights: Float[np.ndarray, " w"], limit: int) -> tuple[Float[np.ndarray, " v"], Int[np.ndarray, " w"]]:
    """At most so many values, sorted, and for each weight the place of the one that stands for it.

    Lloyd's iterations from values that are evenly spaced, which keeps the few large weights (Han et al. 2016, section
    3.2); as many values as there are different weights lose nothing. 0 stands for 0 and for nothing else but itself
    and its nearest.
    """
    distinct, places = np.unique(weights, return_inverse=True)
    if len(distinct) <= limit:
        return distinct, places
    zero = bool((distinct == 0).any())
    points = weights[weights != 0] if zero else weights
    values = _means(np.sort(points).astype(np.float64), limit - zero).astype(weights.dtype)
    values = np.unique(np.append(values, np.float32(0)) if zero else values)
    return values, _nearest(values, weights)


def _means(points: Float[np.ndarray, " w"], limit: int) -> Float[np.ndarray, " v"]:
    """Means of the clusters of sorted numbers, without those that are empty."""
    sums = np.append(0.0, np.cumsum(points))
    means = np.linspace(points[0], points[-1], limit)
    for _ in range(ROUNDS):
        edges = np.searchsorted(points, (means[1:] + means[:-1]) / 2)
        starts, ends = np.append(0, edges), np.append(edges, len(points))
        full = ends > starts
        latest = (sums[ends] - sums[starts])[full] / (ends - starts)[full]
        if np.array_equal(latest, means):
            break
        means = latest
    return means


def _nearest(values: Float[np.ndarray, " v"], weights: Float[np.ndarray, " w"]) -> Int[np.ndarray, " w"]:
    places: Int[np.ndarray, " w"] = np.searchsorted((values[1:] + values[:-1]) / 2, weights)
    return np.where(weights == 0, np.searchsorted(values, 0.0), places) if (values == 0).any() else places


def _clustered(name: str, weights: np.ndarray, bits: int) -> Restored | None:
    """A tensor as its table of values and the places, two of which share a byte if there are at most 16."""
    from onnx import TensorProto, helper

    if weights.size <= 2**bits or not np.isfinite(weights).all():
        return None
    values, places = clusters(weights.ravel(), 2**bits)
    shape = np.array(weights.shape, np.int64)
    constants = {f"{name}/values": values, f"{name}/shape": shape}
    if bits > PAIRED:
        constants[f"{name}/places"] = places.astype(np.uint8 if bits <= 8 else np.uint16)
        nodes: list[Any] = []
        flat = f"{name}/places"
    else:
        packed, nodes, flat = _packed(name, places)
        constants |= packed
    nodes += [
        helper.make_node("Cast", [flat], [f"{name}/indices"], f"{name}/cast", to=TensorProto.INT32),
        helper.make_node("Gather", [f"{name}/values", f"{name}/indices"], [f"{name}/flat"], f"{name}/gather"),
        helper.make_node("Reshape", [f"{name}/flat", f"{name}/shape"], [name], f"{name}/reshape"),
    ]
    return Restored(constants, nodes)


def _packed(name: str, places: np.ndarray) -> tuple[dict[str, np.ndarray], list[Any], str]:
    """Constants and nodes for places below 16: the first half of them in the low bits, the second in the high bits."""
    from onnx import helper

    size = -(-len(places) // 2)
    low, high = places[:size], np.append(places[size:], [0] * (2 * size - len(places)))
    constants = {
        f"{name}/packed": (low + 16 * high).astype(np.uint8),
        f"{name}/mask": np.array([15], np.uint8),
        f"{name}/bits": np.array([4], np.uint8),
        f"{name}/start": np.array([0]),
        f"{name}/end": np.array([len(places)]),
    }
    nodes = [
        helper.make_node("BitwiseAnd", [f"{name}/packed", f"{name}/mask"], [f"{name}/low"], f"{name}/and"),
        helper.make_node(
            "BitShift", [f"{name}/packed", f"{name}/bits"], [f"{name}/high"], f"{name}/shift", direction="RIGHT"
        ),
        helper.make_node("Concat", [f"{name}/low", f"{name}/high"], [f"{name}/both"], f"{name}/concat", axis=0),
        helper.make_node(
            "Slice", [f"{name}/both", f"{name}/start", f"{name}/end"], [f"{name}/places"], f"{name}/slice"
        ),
    ]
    return constants, nodes, f"{name}/places"
