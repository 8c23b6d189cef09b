"""What is in a log of lm-evaluation-harness? A line per document and filter in samples_TASK_DATE.jsonl (--log_samples).

Documents are matched by their hashes, not by their numbers. Where a task is multiple choice the answer is the choice
of the highest log-likelihood, and the softmax of the log-likelihoods are its probabilities; where one is nan there is
no answer. One metric and one filter count per task: the first, unless another is named. Lines of versions that do not
name the filter are numbered per document: filter-1, filter-2. Without a metric the targets say what is right.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import exp, fsum, isinf
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item
from ..items.scores import NOT_SCORED, any_of
from ..json_layout import LAYOUT_ERRORS, layout_problem
from ..json_lines import BadLines, json_lines, load_json
from .known_documents import ChoiceLines
from .sample_lines import LineParser, Requests, first_text, log_likelihoods, requests_of

SAMPLES = "samples_*.jsonl*"
MATCHED_BY = "the hashes of their documents"
METRIC_CURE = "name a metric that all logs of the task have with metric (--metric)"
FILTER_CURE = "name a filter that all logs of the task have with filter (--filter)"
METRICS = ("exact_match", "acc", "pass@1", "acc_norm")
_NAME = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+?))?\.jsonl(?:\.gz)?")
_INVALID = "[invalid]"
_MAX_OPTIONS = 1 << 10


def is_sample(value: Mapping[str, Any]) -> bool:
    """Whether an object is a line of such a log."""
    return "doc_id" in value and "filtered_resps" in value


def read_samples(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all items of one file; the model has the name given, or the one in the results file of the same folder."""
    file_name = _NAME.fullmatch(path.name)
    results = _results(path, file_name["date"] if file_name else None)
    name = model or str(results.get("model_name") or path.resolve().parent.name.replace("__", "/"))
    parser = builder.parsers.setdefault("lm-eval", LineParser())
    log = _SampleLog(path, file_name["task"] if file_name else path.stem, name, builder, parser)
    filtered = builder.rules.filter == "*"
    factors = _factors(results)
    if not filtered:
        builder.add_factors(log.model, factors)
    repeat = builder.repeats.get(str(path), 0)
    for item in log.items():
        item = replace(item, repeat=repeat) if repeat else item
        if filtered:
            builder.add_factors(item.model, factors | {"filter": item.model.removeprefix(log.model).lstrip(":")})
        builder.add(item)
    if len(log.filters) > 1 and not filtered:
        unused = ", ".join(name for name in log.filters if name != log.chosen)
        builder.note(f"Task {log.task}: answers of the filter {log.chosen!r} count; there is also {unused}.")
    if log.chosen not in ("*", *log.filters):
        filters = ", ".join(log.filters)
        cure = near(log.chosen, log.filters) if builder.rules.filter else FILTER_CURE
        raise InputError(f"{path} has no filter {log.chosen!r}", f"one of {filters}", cure)


@dataclass(eq=False)
class _SampleLog:
    """One file, and its filters, metric and documents so far."""

    path: Path
    task: str
    model: str
    builder: PredictionsBuilder
    parser: LineParser
    filters: dict[str, None] = field(default_factory=dict)
    chosen: str = "*"
    metric: str = ""
    first_scored: tuple[str, list[str]] = ("", [])
    n_scored: int = 0
    first_ids: dict[str, dict[int, Any]] = field(default_factory=dict)
    options: dict[tuple[Requests, str], tuple[str | None, tuple[str, ...]]] = field(default_factory=dict)
    choices: ChoiceLines | None = None

    def items(self) -> Iterator[Item]:
        """All items; lines without a metric wait until it is known whether the file has one at all."""
        waiting: list[Item] = []
        for place, row, model in self._rows():
            names = [] if self.metric else _metric_names(row, self.builder.rules.metric)
            if names:
                default = next((name for name in METRICS if name in names), names[0])
                self.metric, self.first_scored = self.builder.metric_of(self.task, default), (place, names)
                self.builder.note(f"Task {self.task}: {self.metric} says what is right.")
                yield from (replace(item, score=NOT_SCORED) for item in waiting)
                waiting = []
            try:
                item = self._item(row, model, place)
            except LAYOUT_ERRORS as error:
                self.builder.bad.add(place, layout_problem(error))
                continue
            if self.metric:
                yield item
                self._remember(item, row)
            else:
                waiting.append(item)
        if waiting:
            self._check_labels(waiting)
        yield from waiting
        if self.choices:
            self.n_scored += self.choices.count
        if self.metric and not self.n_scored:
            place, names = self.first_scored
            cure = near(self.metric, names) if self.builder.rules.metric else METRIC_CURE
            raise InputError(f"{place} has no metric {self.metric!r}", f"one of {', '.join(names)}", cure)

    def _remember(self, item: Item, row: Mapping[str, Any]) -> None:
        """Take note of the document of an item that was added, so that other models' lines need not be parsed whole."""
        rules = self.builder.rules
        if not item.probabilities or self.parser.document is None or rules.repeats or rules.threshold is not None:
            return
        is_named = row.get("filter") is not None
        if self.chosen == "*" or not (is_named or self.chosen == "none"):  # otherwise lines of a document are numbered
            return
        if self.choices is None:
            source, run = (self.task, self.chosen, is_named), self.builder.columns[(item.model, item.repeat)]
            first_numbers = self.first_ids[item.model]
            self.choices = ChoiceLines(self.parser, self.builder, source, run, self.metric, first_numbers)
        self.choices.remember(item, row["doc_id"], len(requests_of(row["arguments"])))

    def _unread(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """The lines that must be read as a whole; once there are choices those of other models' documents need not."""
        for line in lines:
            yield line
            if self.choices is not None:
                yield from self.choices.unread(lines)

    def _check_labels(self, items: Sequence[Item]) -> None:
        """Raise InputError where nothing says what is right; else note that the references do."""
        unknown = all(item.label is None and item.score is None for item in items)
        if unknown and self.builder.extra_labels is None:
            raise InputError(f"{items[0].place} has no metric", f"one such as {METRICS[0]} or {METRICS[1]}")
        self.builder.note(f"Task {self.task}: no metric in {self.path}; the targets say what is right.")

    def _rows(self) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        """Place, line and model of the lines of the filter that counts, or of all."""
        times: Counter[str] = Counter()
        unnamed = 0
        for number, row in json_lines(self.path, self.builder.bad, self.parser, self._unread):
            place = f"line {number} of {self.path}"
            if not is_sample(row):
                self.builder.bad.add(
                    place, "is not a sample of lm-evaluation-harness", "doc_id, filtered_resps, a metric, …"
                )
                continue
            name = row.get("filter")
            if name is None:
                unnamed = unnamed or _most_lines(self.path)
                times[str(row["doc_id"])] += 1
                name = f"filter-{times[str(row['doc_id'])]}" if unnamed > 1 else "none"
            name = str(name)
            if not self.filters:
                self.chosen = self._filter(name, unnamed > 1)
            self.filters[name] = None
            if self.chosen in ("*", name):
                yield place, row, f"{self.model}:{name}" if self.chosen == "*" and name != "none" else self.model

    def _filter(self, first: str, numbered: bool) -> str:
        """The filter that counts: the one named, else the one that counts for the task, else the first."""
        option = self.builder.rules.filter
        if option:
            return f"filter-{option}" if numbered and option.isdecimal() else option
        task_filter = self.builder.filters.setdefault(self.task, first)
        if task_filter != first:
            names = {str(row.get("filter", "none")) for _, row in json_lines(self.path, BadLines(skip=True))}
            if len(names) == 1 and not numbered:
                self.builder.note(f"Task {self.task}: answers of the filter {first!r} count in {self.path}.")
                return first
        return task_filter

    def _item(self, row: Mapping[str, Any], model: str, place: str) -> Item:
        document = str(row.get("doc_hash") or _hash(row.get("doc")))
        requests = requests_of(row.get("arguments"))
        number, answers, target = row["doc_id"], row["filtered_resps"], row.get("target")
        logs = log_likelihoods(answers)
        if isinstance(target, list) and len(target) == 1:
            target = target[0]
        self.n_scored += bool(self.metric) and self.metric in row
        score = row.get(self.metric)
        item = Item(
            model,
            self._instance(model, document, number),
            str(number),
            place,
            score=None if not self.metric else NOT_SCORED if score is None else score,
            prompt=str(row.get("prompt_hash") or _hash(requests)),
            reference=str(row.get("target_hash") or _hash(target)),
            group=self.task,
            metric=self.metric,
        )
        if len(logs) > 1 and len(logs) == len(requests):
            self._add_choice(item, logs, requests, target)
        elif not logs:
            item.answer, item.free = str(first_text(answers)), True
            item.state = "unparsed" if item.answer.strip() in ("", _INVALID) else ""
            item.label = target if isinstance(target, str) else None if isinstance(target, list) else str(target)
            if isinstance(target, list) and target and not self.metric:
                item.score = any_of(target, item.answer, self.builder.normalize)
        return item

    def _instance(self, model: str, document: str, number: Any) -> str:
        """The hash of the document; with its number where the file repeats the document."""
        first = self.first_ids.setdefault(model, {}).setdefault(hash(document), number)
        return f"{self.task}\n{document}" if first == number else f"{self.task}\n{document}\n{number}"

    def _add_choice(self, item: Item, logs: list[float], requests: Sequence[tuple[str, str]], target: Any) -> None:
        """Add the choice of the highest log-likelihood, or why there is none."""
        key = (requests, target) if isinstance(requests, Requests) and isinstance(target, str) else None
        options = self.options.get(key) if key else None
        if options is None:
            options = _options(requests, target)
            if key and len(self.options) < _MAX_OPTIONS:
                self.options[key] = options
        item.label, item.choices = options
        item.options = len(item.choices)
        logs = logs[: item.options]
        if not math.isfinite(sum(logs)) and (not all(x < math.inf for x in logs) or max(logs) == -math.inf):
            item.state = "unparsed"
            return
        scores = logs
        if self.metric == "acc_norm":
            scores = [x / max(len(c), 1) for x, c in zip(logs, item.choices, strict=True)]
        item.answer, item.probabilities = str(scores.index(max(scores))), softmax(logs)


def _options(requests: Sequence[tuple[str, str]], target: Any) -> tuple[str | None, tuple[str, ...]]:
    """The number of the true choice, and the texts of all."""
    half = len(requests) // 2  # acc_mutual_info repeats every choice without the question
    is_repeated = not requests[half][0] and requests[0][0] and not any(p for p, _ in requests[half:])
    choices = tuple([text.strip() for _, text in requests])
    choices = choices[:half] if len(requests) % 2 == 0 and is_repeated else choices
    label = _index(target, choices)
    return None if label is None else str(label), choices


def _metric_names(row: Mapping[str, Any], option: str | None) -> list[str]:
    """The metrics of a line, with the one named first; bypass, which --predict_only writes, measures nothing."""
    names = [str(name) for name in row.get("metrics") or [name for name in METRICS if name in row]]
    return [*((option,) if option in row else ()), *(name for name in names if name not in (option, "bypass"))]


def _most_lines(path: Path) -> int:
    """The most lines of one document."""
    times = Counter(str(row.get("doc_id")) for _, row in json_lines(path, BadLines(skip=True)) if is_sample(row))
    return max(times.values(), default=1)


def runs(paths: Iterable[str]) -> list[list[str]]:
    """The files of each task in each folder, the earliest first; only those with a date in the name."""
    names = {path: _NAME.fullmatch(Path(path).name) for path in paths}
    dated = [(Path(p).parent, name["task"], name["date"], p) for p, name in names.items() if name and name["date"]]
    groups: dict[tuple[Path, str], list[str]] = {}
    for folder, task, _, path in sorted(dated):
        groups.setdefault((folder, task), []).append(path)
    return list(groups.values())


def softmax(logs: Sequence[float]) -> tuple[float, ...]:
    """Probabilities proportional to exp(log-likelihood); equal ones where all are −∞."""
    top = max(logs)
    if isinf(top):
        return tuple(1 / len(logs) for _ in logs)
    weights = [exp(x - top) for x in logs]
    total = fsum(weights)
    return tuple([w / total for w in weights])


def _index(target: Any, choices: Sequence[str]) -> int | None:
    """The number of the true choice, which logs give as such or as its text."""
    text = str(target).strip()
    if text.isdecimal() and int(text) < len(choices):
        return int(text)
    return choices.index(text) if text in choices else None


def _hash(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


def _results(path: Path, date: str | None) -> dict[str, Any]:
    """The results file of the same run, if it is in the same folder."""
    candidates = [path.with_name(f"results_{date}.json")] if date else sorted(path.parent.glob("results_*.json"))[-1:]
    file = next((p for p in candidates if p.is_file()), None)
    results = load_json(file) if file else {}
    return results if isinstance(results, dict) else {}


def _factors(results: Mapping[str, Any]) -> dict[str, Any]:
    """The model's factors in the results file."""
    config = results.get("config")
    config = config if isinstance(config, dict) else {}
    arguments = config.get("model_args") or {}
    if isinstance(arguments, str):
        arguments = dict(pair.partition("=")[::2] for pair in arguments.split(","))
    size, seconds = config.get("model_num_parameters"), results.get("date")
    bits = next((b for b in ("4bit", "8bit") if str(arguments.get(f"load_in_{b}", "")).lower() == "true"), "")
    return {
        "size": float(f"{size / 1e9:.3g}") if isinstance(size, (int, float)) and size > 0 else None,
        "quantization": bits,
        "dtype": arguments.get("dtype") or config.get("model_dtype"),
        "date": datetime.fromtimestamp(seconds, UTC).date().isoformat() if isinstance(seconds, (int, float)) else None,
        "revision": arguments.get("revision"),
    }
