"""How are weights stored that are mostly zero? By their positions, where that takes fewer bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

FEWEST = 256
"""Numbers in a tensor below which its form does not matter."""
INDEX_BYTES = 8
"""Bytes of the position of a number, next to its own."""


def with_sparse_weights(proto: Any) -> Any:
    """The same graph; tensors of weights whose other numbers take fewer bytes than all do have them by position.

    A runtime fills the zeros in when it loads the graph: it is smaller on disk, and as fast.
    """
    from onnx import ModelProto, helper, numpy_helper

    smaller = ModelProto()
    smaller.CopyFrom(proto)
    dense = list(smaller.graph.initializer)
    del smaller.graph.initializer[:]
    for tensor in dense:
        array = numpy_helper.to_array(tensor)
        positions = np.flatnonzero(array)
        needed = len(positions) * (array.itemsize + INDEX_BYTES)
        if array.dtype != np.float32 or array.size < FEWEST or not 0 < needed < array.nbytes:
            smaller.graph.initializer.append(tensor)
            continue
        values = numpy_helper.from_array(array.ravel()[positions], tensor.name)
        indices = numpy_helper.from_array(positions.astype(np.int64), f"{tensor.name}_positions")
        smaller.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, array.shape))
    return smaller
