"""Do the records of TruLens become scores of its apps?"""

from __future__ import annotations

import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import ReadingRules, read

QUESTIONS = ["What is n_eff?", "What is rho?", "Who?"]
SCORES = {"rag v1": [1.0, 0.4, None], "rag v2": [0.8, 0.9, 0.1]}


@pytest.fixture
def records():
    """The table of `get_records_and_feedback()`, shortened."""
    rows = [
        {"record_id": f"{app}-{i}", "app_name": app.split()[0], "app_version": app.split()[1], "app_id": f"app_{app}"}
        | {"input": question, "output": f"It is {i}.", "tags": "", "ts": "2025-01-01", "latency": 2}
        | {"Answer Relevance": score, "Answer Relevance_calls": "[{'args': {}, 'ret': 1.0}]", "total_cost": 0.1}
        for app, scores in SCORES.items()
        for i, (question, score) in enumerate(zip(QUESTIONS, scores, strict=True))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("form", ["frame", "csv", "parquet", "json"])
def test_feedbacks_are_graded_scores_of_apps(form, records, tmp_path):
    source = tmp_path / f"records.{form}"
    if form == "frame":
        source = records
    elif form == "csv":
        records.to_csv(source, index=False)
    elif form == "parquet":
        records.to_parquet(source)
    else:
        records.to_json(source, orient="records")
    predictions = read(source)
    assert predictions.model_ids == ["rag v1", "rag v2"]
    assert predictions.values[1].tolist() == [0.8, 0.9, 0.1]
    assert predictions.observed.tolist() == [[True, True, False], [True, True, True]]
    outcomes = read(source, rules=ReadingRules(threshold=0.5))
    assert outcomes.correct.tolist() == [[1, 0, -1], [1, 1, 0]]


def test_one_of_several_feedbacks_is_named(records):
    second = records.assign(Groundedness=1.0, Groundedness_calls="[]")
    with pytest.raises(InputError) as caught:
        read(second)
    assert str(caught.value) == (
        "the dataframe has 2 feedbacks; expected one of Answer Relevance, Groundedness; name it with metric "
        "(--metric 'Answer Relevance')."
    )
    assert not read(second, rules=ReadingRules(metric="Groundedness")).wrong.any()
