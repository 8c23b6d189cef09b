"""Which weights does AutoGluon's ensemble selection give? Runs where `autogluon.core` is installed.

    python caruana.py ASKED.npz

Reads probabilities (m × n × c) and labels of a file of arrays and prints weights and CPU seconds as JSON.
"""

import json
import sys
import time

import numpy as np
from autogluon.core.metrics import log_loss
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection

ROUNDS = 100
"""AutoGluon's own number of rounds of its last layer."""

asked = np.load(sys.argv[1], allow_pickle=False)
given, labels = asked["probabilities"], asked["labels"]
two = given.shape[2] == 2
started = time.process_time()
selection = EnsembleSelection(
    ROUNDS, "binary" if two else "multiclass", log_loss, random_state=np.random.RandomState(int(asked["seed"]))
)
selection.fit([p[:, 1] if two else p for p in given], labels)
print(json.dumps({"weights": [float(w) for w in selection.weights_], "seconds": time.process_time() - started}))
