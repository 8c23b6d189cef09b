"""BentoML without batching, one worker, which was its fastest setting here."""

from __future__ import annotations

from typing import Any

import bentoml
import numpy as np
from graphs import Members


@bentoml.service(workers=1, traffic={"timeout": 30, "max_concurrency": 1000})
class Portfolio:
    def __init__(self) -> None:
        self.members = Members()

    @bentoml.api
    def infer(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = self.members(np.asarray(inputs[0]["data"], np.float32))
        tensor = {"name": "probabilities", "shape": list(output.shape), "datatype": "FP32"}
        return {"model_name": "portfolio", "outputs": [{**tensor, "data": output.ravel().tolist()}]}
