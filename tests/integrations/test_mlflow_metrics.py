"""Metrics of a panel in a real MLflow run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.integrations.mlflow_metrics import log_panel, panel_metrics

mlflow = pytest.importorskip("mlflow")


def verdicts() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    wrong = rng.random((3, 200)) < 0.2 + 0.4 * (rng.random(200) < 0.3)
    return pd.DataFrame({f"judge{k}": np.where(row, 1 - labels, labels) for k, row in enumerate(wrong)}), labels


@pytest.mark.filterwarnings("ignore")  # of what MLflow stands on
def test_a_run_has_the_numbers_of_panel(tmp_path) -> None:
    table, labels = verdicts()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        logged = log_panel(table, labels)
    stored = mlflow.get_run(run.info.run_id).data.metrics
    result = pc.panel(pc.read(table.assign(label=labels)))
    assert stored == logged
    assert stored["panel.effective_votes"] == pytest.approx(result.numbers["votes"].estimate)
    assert stored["panel.condorcet_gap"] == pytest.approx(result.numbers["gap"].estimate)


def test_undefined_numbers_are_left_out_and_bad_input_is_refused() -> None:
    table, labels = verdicts()
    perfect = {"a": labels, "b": labels}
    assert "effective_votes" not in panel_metrics(perfect, labels)
    with pytest.raises(pc.InputError, match="two judges or more"):
        panel_metrics({"a": labels}, labels)
    with pytest.raises(pc.InputError, match="as many verdicts as labels"):
        panel_metrics(table, labels[:5])
