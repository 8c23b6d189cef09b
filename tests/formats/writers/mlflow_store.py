"""Write two runs with an evaluation table each into a local MLflow store, as MLflow's own evaluation lays them out."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow

OUT = Path(sys.argv[1])
mlflow.set_tracking_uri(f"sqlite:///{OUT}/mlflow.db")
mlflow.create_experiment("exam", artifact_location=(OUT / "artifacts").as_uri())
mlflow.set_experiment("exam")
asked = ["What is 1+1?", "What is 2+2?", "Who wrote it?"]
for name, order, outputs in (("ann", [0, 1, 2], ["2", "4", "nobody"]), ("bob", [2, 1, 0], ["Anna", "5", "2"])):
    with mlflow.start_run(run_name=name):
        mlflow.log_params({"family": "small", "size": 7 if name == "ann" else 13})
        table = {"inputs": [asked[i] for i in order], "targets": [["2", "4", "Anna"][i] for i in order]}
        table |= {"outputs": outputs, "exact_match/v1/score": [int(o in ("2", "4", "Anna")) for o in outputs]}
        mlflow.log_table(table, artifact_file="eval_results_table.json")
