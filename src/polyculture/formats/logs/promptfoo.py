"""What is in the results of promptfoo? One JSON file (`promptfoo eval -o results.json`), or a line per result.

A model is a provider; with several prompts, a provider with its prompt. An instance is a test case. `success` says what
is right, or the named score that --metric gives; a result that ended in an error has failed. Repeats are runs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..items.scores import NOT_SCORED
from ..json_lines import json_lines, load_json, shorten
from .records import Row

MATCHED_BY = "their test cases"
SUCCESS = "success"
_ERROR = 2
"""The failure reason of a result that was not judged."""


def is_results(value: Any) -> bool:
    """Whether a JSON value is such a file."""
    return isinstance(value, dict) and bool(_rows_in(value)) and is_result(_rows_in(value)[0])


def is_result(row: Any) -> bool:
    """Whether an object is one result: a line of a results.jsonl."""
    return isinstance(row, dict) and "provider" in row and "success" in row and ("vars" in row or "testCase" in row)


def read_results(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all results of one file; a name of the user's own takes the place of the provider's."""
    if path.suffix == ".json":
        rows: list[Row] = [(f"result {i} of {path}", row) for i, row in enumerate(_rows_in(load_json(path)), 1)]
    else:
        rows = [(f"line {number} of {path}", row) for number, row in json_lines(path, builder.bad)]
    results = [(place, row) for place, row in rows if is_result(row)]
    for place, row in rows:
        if not is_result(row):
            builder.bad.add(place, "is no result of promptfoo", "an object with provider, vars and success")
    metric = _metric(path, results, builder)
    prompts, providers = {_prompt(row) for _, row in results}, {_provider(row) for _, row in results}
    times = Counter(_key(row) for _, row in results)
    is_repeated = len(results) > len(times) and len(set(times.values())) == 1
    occurrences: Counter[tuple[str, str, str]] = Counter()
    for place, row in results:
        name = f"{model}:{_provider(row)}" if model and len(providers) > 1 else model or _provider(row)
        if len(prompts) > 1:
            name = f"{name} · {shorten(_prompt(row))}"
        key = _key(row)
        occurrences[key] += 1
        # Tests that all occur equally often are repeats; else two tests have the same variables.
        suffix = "" if is_repeated or occurrences[key] == 1 else f"#{occurrences[key]}"
        item = _item(row, place, key[2] + suffix, metric)
        builder.add(replace(item, model=name, repeat=occurrences[key] if is_repeated else 0))
    builder.note(f"{metric} says what is right.")


def _rows_in(value: Mapping[str, Any]) -> Sequence[Any]:
    """The results in the file, which newer versions wrap once more."""
    results = value.get("results")
    rows = results.get("results") if isinstance(results, dict) else results
    return rows if isinstance(rows, list) else []


def _metric(path: Path, results: Sequence[Row], builder: PredictionsBuilder) -> str:
    metric = builder.metric_of("promptfoo", SUCCESS)
    names = list(dict.fromkeys(name for _, row in results for name in (row.get("namedScores") or {})))
    if metric not in (SUCCESS, "score", *names):
        scores = [SUCCESS, "score", *names]
        raise InputError(f"{path} has no score {metric!r}", f"one of {', '.join(scores)}", near(metric, scores))
    return metric


def _item(row: Mapping[str, Any], place: str, key: str, metric: str) -> Item:
    response = row.get("response") if isinstance(row.get("response"), dict) else {}
    output = (response or {}).get("output")
    # Without a failure reason, as older versions write it, the error may be the reason of a grader.
    reason = row.get("failureReason", None if row.get("gradingResult") else _ERROR)
    error = bool(row.get("error")) and reason == _ERROR
    score = row.get("success") if metric == SUCCESS else row.get("score") if metric == "score" else None
    if metric not in (SUCCESS, "score"):
        score = (row.get("namedScores") or {}).get(metric, NOT_SCORED)
    refused = bool((response or {}).get("isRefusal"))
    state: State = "failed" if error else "refused" if refused else "unparsed" if output in (None, "") else ""
    return Item(
        _provider(row),
        instance=key,
        display_id=shorten(key, 60),
        place=place,
        answer=None if output in (None, "") else output if isinstance(output, str) else json.dumps(output),
        score=NOT_SCORED if score is None else score,
        state=state,
        free=True,
        metric=metric,
    )


def _provider(row: Mapping[str, Any]) -> str:
    provider = row["provider"]
    return str(provider.get("label") or provider.get("id")) if isinstance(provider, dict) else str(provider)


def _prompt(row: Mapping[str, Any]) -> str:
    prompt = row.get("prompt")
    return str(prompt.get("label") or prompt.get("raw")) if isinstance(prompt, dict) else str(prompt or "")


def _instance(row: Mapping[str, Any]) -> str:
    """The variables of the test case, which are the same for all providers; else its description or number."""
    case = row.get("testCase") if isinstance(row.get("testCase"), dict) else {}
    cells = row.get("vars") or (case or {}).get("vars") or {}
    if cells:
        return ", ".join(
            f"{name}={cell if isinstance(cell, str) else json.dumps(cell)}" for name, cell in cells.items()
        )
    return str((case or {}).get("description") or f"test {row.get('testIdx', 0)}")


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Provider, prompt and test case of a result."""
    return _provider(row), _prompt(row), _instance(row)
