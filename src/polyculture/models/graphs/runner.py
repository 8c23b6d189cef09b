"""What does a graph of one input and one output give? Run by onnxruntime in one thread, a batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

QUIET = 4
"""Level of the log below which onnxruntime says nothing."""


class GraphRunner:
    """A graph that is ready to answer.

    Parameters
    ----------
    graph : the `onnx.ModelProto`, or its bytes.

    Raises the errors of onnxruntime for a graph that it cannot read.
    """

    def __init__(self, graph: Any) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = 1, 1, QUIET
        content = graph if isinstance(graph, bytes) else graph.SerializeToString()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."], batch: int = 256) -> Float[np.ndarray, "n ..."]:
        """The output for these inputs, computed `batch` of them at a time."""
        parts = [
            self._session.run(None, {self._input: part})[0]
            for part in np.array_split(inputs, -(-len(inputs) // batch) or 1)
        ]
        outputs: np.ndarray = np.concatenate(parts)
        return outputs

    def once(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n ..."]:
        """The output for these inputs, computed in one run."""
        outputs: np.ndarray = self._session.run(None, {self._input: inputs})[0]
        return outputs

    def all_outputs(self, inputs: Shaped[np.ndarray, "n ..."]) -> list[np.ndarray]:
        """Every output of the graph for these inputs, computed in one run."""
        outputs: list[np.ndarray] = self._session.run(None, {self._input: inputs})
        return outputs
