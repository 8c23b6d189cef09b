"""LitServe without batching, one worker, which was its fastest setting here."""

import sys
from typing import Any

import litserve
import numpy as np
from graphs import Members


class Portfolio(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 (its name is LitServe's)
        self.members = Members()

    def decode_request(self, request, **_):  # an annotation would become the request's schema
        return np.asarray(request["inputs"][0]["data"], np.float32)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.members(x)

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        tensor = {"name": "probabilities", "shape": list(output.shape), "datatype": "FP32"}
        return {"model_name": "portfolio", "outputs": [{**tensor, "data": output.ravel().tolist()}]}


if __name__ == "__main__":
    server = litserve.LitServer(Portfolio(api_path="/infer"), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
