"""What does AutoGluon's own default for tables predict after so many seconds? Runs where `autogluon.tabular` is.

    python whole_autogluon.py ASKED.npz SAID.npz

Reads rows to learn from (X, y), seconds, and tests by name; writes probabilities of the whole and answers of its
members for each test, and CPU seconds.
"""

import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

TEST = "test "
"""What names of tests begin with in the file."""

warnings.simplefilter("ignore")
asked = np.load(sys.argv[1], allow_pickle=False)
y, classes = asked["y"], int(asked["classes"])


def frame(X):
    """Columns by name."""
    return pd.DataFrame(X).add_prefix("c")


kind = "binary" if len(np.unique(y)) == 2 else "multiclass"
with tempfile.TemporaryDirectory() as folder:
    started = time.process_time()
    predictor = TabularPredictor("y", kind, "log_loss", path=folder, verbosity=0)
    predictor.fit(frame(asked["X"]).assign(y=y), time_limit=float(asked["seconds"]), num_cpus=1, num_gpus=0)
    said = {"seconds": time.process_time() - started}
    best = predictor.model_best
    members = [name for name in predictor.model_names() if not name.startswith("WeightedEnsemble")]
    for key in asked.files:
        if key.startswith(TEST):
            rows = frame(asked[key])
            whole = predictor.predict_proba(rows, model=best)
            complete = np.zeros((len(rows), classes))
            complete[:, whole.columns.to_numpy().astype(int)] = whole.to_numpy()
            said[key] = complete
            said[f"members {key}"] = np.stack([predictor.predict(rows, model=name).to_numpy() for name in members])
np.savez(sys.argv[2], **said)
