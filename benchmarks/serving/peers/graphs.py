"""What every peer runs: the members' own graphs, one session each, and their mean. Needs numpy and onnxruntime only."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime


class Members:
    """The members of the bundle in ``BENCHMARK_BUNDLE``, each in a session of its own."""

    def __init__(self) -> None:
        bundle = Path(os.environ["BENCHMARK_BUNDLE"])
        manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        paths = [str(bundle / member["graph"]) for member in manifest["members"]]
        self.sessions = [onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"]) for path in paths]
        self.inputs = [session.get_inputs()[0].name for session in self.sessions]
        self.shape = tuple(manifest["input_shape"])

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Mean probabilities of these instances."""
        x = np.asarray(numbers, np.float32).reshape(-1, *self.shape)
        pairs = zip(self.sessions, self.inputs, strict=True)
        return np.mean([session.run(None, {name: x})[0] for session, name in pairs], axis=0)
