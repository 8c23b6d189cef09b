"""What is in the details of lighteval? A Parquet file per task, details/MODEL/DATE/details_TASK_DATE.parquet.

Older versions have the columns example, full_prompt, choices, gold, gold_index, predictions and metrics; newer ones
doc, model_response and metric; all of them wrap a single answer in lists, and write nested cells as text where they
cannot be stored. The answer is the text, or the choice of the highest log-likelihood. Documents are matched by their
questions. Of several runs of a task the latest counts.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..items.scores import NOT_SCORED
from ..json_lines import shorten
from .lm_eval import softmax
from .records import rows_of

FILES = "details_*.parquet"
MATCHED_BY = "their questions"
METRICS = ("exact_match", "em", "extractive_match", "qem", "pem", "pqem", "acc", "accuracy", "acc_norm")
"""Metrics that say right or wrong; the first of them counts unless another is named."""
_NAME = re.compile(r"details_(?P<task>.+?)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)\.parquet")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT.*")


def is_details(names: Iterable[str]) -> bool:
    """Whether a table with these columns holds such details."""
    columns = {str(name).strip("_") for name in names}
    return {"doc", "model_response", "metric"} <= columns or {"full_prompt", "predictions", "metrics"} <= columns


def runs(paths: Iterable[str]) -> list[list[str]]:
    """The files of each task and model, the earliest first."""
    names = {path: _NAME.fullmatch(Path(path).name) for path in paths}
    dated = [(_model(Path(p)), name["task"], name["date"], p) for p, name in names.items() if name]
    groups: dict[tuple[str, str], list[str]] = {}
    for model, task, _, path in sorted(dated):
        groups.setdefault((model, task), []).append(path)
    return list(groups.values())


def read_details(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all documents of one file; the model has the name given, or the one in the path."""
    name = _NAME.fullmatch(path.name)
    task = name["task"] if name else path.stem
    metric, times = "", Counter[str]()
    for place, row in rows_of(path, builder.bad):
        cells = {column.strip("_"): _parsed(cell) for column, cell in row.items()}
        scores = _scores(cells.get("metrics", cells.get("metric")))
        if scores and not metric:
            default = next((m for m in METRICS if m in scores), next(iter(scores)))
            metric = builder.metric_of(task, default)
            if metric not in scores:
                cure = near(metric, scores) if builder.rules.metric else "name a metric of all files with --metric"
                raise InputError(f"{path} has no metric {metric!r}", f"one of {', '.join(scores)}", cure)
            builder.note(f"Task {task}: {metric} says what is right.")
        question = str(_question(cells))
        times[question] += 1
        key = f"{task}\n{question}" if times[question] == 1 else f"{task}\n{question}\n{times[question]}"
        builder.add(
            Item(
                model or _model(path),
                instance=key,
                display_id=shorten(question, 60),
                place=place,
                score=scores.get(metric, NOT_SCORED) if metric else None,
                prompt=str(cells.get("full_prompt") or ""),
                group=task,
                metric=metric,
                repeat=builder.repeats.get(str(path), 0),
                **_answer(cells, normalized=metric == "acc_norm"),
            )
        )


def _model(path: Path) -> str:
    """The model by the folders between details and the date; else the folder, or the file."""
    parts = path.resolve().parent.parts
    if parts and _DATE.fullmatch(parts[-1]):
        parts = parts[:-1]
    if "details" in parts:
        place = len(parts) - 1 - parts[::-1].index("details")
        return "/".join(parts[place + 1 :]) or path.stem
    return parts[-1] if _NAME.fullmatch(path.name) else path.stem


def _parsed(cell: Any) -> Any:
    """The cell, out of the text that a nested one was written as."""
    if not isinstance(cell, str) or not cell.startswith(("[", "{")):
        return cell
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return cell


def _scores(cell: Any) -> dict[str, Any]:
    """The scores by metric; Parquet gives every row the keys of all, so an empty one is none."""
    if not isinstance(cell, Mapping):
        return {}
    return {str(name): score for name, score in cell.items() if not isinstance(score, (list, Mapping))}


def _question(cells: Mapping[str, Any]) -> Any:
    document = cells.get("doc")
    if isinstance(document, Mapping):
        return document.get("query") or document.get("id")
    return cells.get("example") or cells.get("full_prompt")


def _answer(cells: Mapping[str, Any], normalized: bool) -> dict[str, Any]:
    """Answer, label, choices and probabilities of a row."""
    document, response = cells.get("doc") or {}, cells.get("model_response") or {}
    choices = tuple(str(text).strip() for text in _list(cells.get("choices") or document.get("choices")))
    gold = _list(cells.get("gold_index") if "gold_index" in cells else document.get("gold_index"))
    logs = _log_likelihoods(response.get("logprobs") if response else cells.get("predictions"))
    if len(choices) > 1 and len(logs) == len(choices):
        label = str(gold[0]) if len(gold) == 1 else None
        common: dict[str, Any] = {"label": label, "options": len(choices), "choices": choices}
        if not all(abs(x) < float("inf") for x in logs):
            return {"state": "unparsed", **common}
        scores = [x / max(len(c), 1) for x, c in zip(logs, choices, strict=True)] if normalized else logs
        return {
            "answer": str(max(range(len(scores)), key=scores.__getitem__)),
            "probabilities": softmax(logs),
            **common,
        }
    text = _text(response.get("text_post_processed") or response.get("text") if response else cells.get("predictions"))
    golds = _list(cells.get("gold")) or [choices[i] for i in gold if isinstance(i, int) and i < len(choices)]
    state: State = "" if text.strip() else "unparsed"
    return {"answer": text, "label": str(golds[0]) if len(golds) == 1 else None, "state": state, "free": True}


def _list(cell: Any) -> list[Any]:
    return list(cell) if isinstance(cell, (list, tuple)) else [] if cell is None else [cell]


def _log_likelihoods(answers: Any) -> list[float]:
    """The log-likelihood of every choice; empty if these are texts."""
    rows: Sequence[Any] = _list(answers)
    if len(rows) == 1 and isinstance(rows[0], (list, tuple)) and len(rows[0]) > 2:
        rows = rows[0]
    numbers = [row[0] if isinstance(row, (list, tuple)) and row else row for row in rows]
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool) for number in numbers):
        return []
    return [float(number) for number in numbers]


def _text(answers: Any) -> str:
    """The first text of nested lists of one."""
    while isinstance(answers, (list, tuple)):
        answers = answers[0] if answers else ""
    return "" if answers is None else str(answers)
