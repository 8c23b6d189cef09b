"""A runtime for MLServer, which has none for ONNX."""

from __future__ import annotations

import numpy as np
from graphs import Members
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class Portfolio(MLModel):
    async def load(self) -> bool:
        self.members = Members()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        probabilities = self.members(np.asarray(payload.inputs[0].data.root, np.float32))
        output = ResponseOutput(
            name="probabilities",
            shape=list(probabilities.shape),
            datatype="FP32",
            data=probabilities.ravel().tolist(),
        )
        return InferenceResponse(model_name=self.name, outputs=[output])
