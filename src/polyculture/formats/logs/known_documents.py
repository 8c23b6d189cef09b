"""What does a model choose in documents that another model had? The document is not parsed again.

A line is read here if what it says of its document is, by a hash of 64 bits, what a line that was read before says, and
if it has log-likelihoods and a score of 0 or 1. The result is that of reading the whole line; every other line is left
to that.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from ..items.builder import PredictionsBuilder
from ..items.columns import ModelRun
from ..items.item import Item
from .sample_choices import Choices, parsed_choices
from .sample_lines import LineParser, line_parts

_MAX_DOCUMENTS = 1 << 18
_LINES, _BYTES = 256, 1 << 22
"""Lines and bytes of a batch, which is parsed while the next one is read."""
_MAX_PENDING = 2
_MIN_LINES = 32
_MAX_FAILURES = 4

Line = tuple[int, bytes]
"""Number and text of a line."""


class KnownDocument(NamedTuple):
    """A document of choices, whose prompt, reference and number of choices are those of its instance.

    Parameters
    ----------
    number : its number in the file.
    identity : hash of its hash.
    instance : index of its instance.
    requests : how many log-likelihoods its line must have; more than choices where each is also asked without question.
    lengths : of the choices, in characters, at least 1.
    """

    number: Any
    identity: int
    instance: int
    requests: int
    lengths: tuple[int, ...]


_Batch = list[tuple[int, bytes, bytes, bytes, KnownDocument]]
"""Number and text of each line, the parts with its answers and scores, and the document."""


class ChoiceLines:
    """Lines of one file, of one model, that are read without the document.

    Parameters
    ----------
    parser, builder : parse other lines, and collect the items of all.
    source : task, filter, and whether the lines name the filter.
    run : the column of the model.
    metric : name of the metric that says what is right.
    first_numbers : the first number of each document in the logs of the model, by the hash of its hash.
    """

    def __init__(
        self,
        parser: LineParser,
        builder: PredictionsBuilder,
        source: tuple[str, str, bool],
        run: ModelRun,
        metric: str,
        first_numbers: dict[int, Any],
    ) -> None:
        self.count = 0
        self._documents: dict[int, KnownDocument] = parser.known.setdefault(source, {})
        self._parser, self._builder, self._run = parser, builder, run
        self._metric, self._first_numbers = metric, first_numbers
        self._failures = 0

    def remember(self, item: Item, number: Any, requests: int) -> None:
        """Take the line that was parsed last, of this item, as that of its document in the logs of all models."""
        key, index = self._parser.document, self._builder.index_of_same(item)
        is_full = key in self._documents or len(self._documents) >= _MAX_DOCUMENTS
        if key is None or index is None or is_full or len(item.probabilities) != item.options:
            return
        group, _, identity = item.instance.partition("\n")
        if "\n" in identity or group != item.group:  # it stands in the file several times, and its number counts
            return
        lengths = tuple([max(len(text), 1) for text in item.choices])
        lengths = self._parser.shared.setdefault(lengths, lengths)
        self._documents[key] = KnownDocument(number, hash(identity), index, requests, lengths)
        self._parser.forget()

    def unread(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines that must be read as a whole, in their order; the answers of all others are added."""
        pending: deque[tuple[_Batch, Future[Choices | None] | None]] = deque()
        batch: _Batch = []
        n_bytes = 0
        with ThreadPoolExecutor(1) as pool:
            for number, line in lines:
                parts = line_parts(line)
                document = self._documents.get(hash(parts[0])) if parts else None
                if document is None or parts is None or self._failures >= _MAX_FAILURES:
                    if batch or pending:
                        yield from self._unread_of([*pending, (batch, None)])
                        pending.clear()
                        batch, n_bytes = [], 0
                    yield number, line
                    continue
                batch.append((number, line, parts[1], parts[2], document))
                n_bytes += len(line)
                if len(batch) == _LINES or n_bytes > _BYTES:
                    pending.append((batch, pool.submit(self._choices, batch)))
                    batch, n_bytes = [], 0
                    if len(pending) > _MAX_PENDING:
                        yield from self._unread_of([pending.popleft()])
            yield from self._unread_of([*pending, (batch, None)])

    def _unread_of(self, batches: Sequence[tuple[_Batch, Future[Choices | None] | None]]) -> Iterator[Line]:
        """Add these batches; all lines of those of which one must be read as a whole."""
        for batch, future in batches:
            if future is not None:
                choices = future.result()
            else:
                choices = self._choices(batch) if len(batch) >= _MIN_LINES else None
            if choices is None or not self._add(choices, [document for *_, document in batch]):
                self._failures += len(batch) >= _MIN_LINES
                yield from ((number, line) for number, line, *_ in batch)

    def _choices(self, batch: _Batch) -> Choices | None:
        _, _, answers, scores, _ = zip(*batch, strict=True)
        return parsed_choices(answers, scores, self._metric)

    def _add(self, choices: Choices, documents: list[KnownDocument]) -> bool:
        """Add the answers; False, and nothing is added, unless all are of instances that the run has not had."""
        numbers, identities, indices, requests, lengths = zip(*documents, strict=True)
        instances = np.array(indices, np.int32)
        if choices.sizes.tolist() != list(requests) or self._run.has_any(instances):
            return False
        known_numbers = map(self._first_numbers.setdefault, identities, numbers)
        if any(first != number for first, number in zip(known_numbers, numbers, strict=True)):
            return False
        options = np.array([len(row) for row in lengths], np.int32)
        answers, probabilities = np.empty(len(instances), np.int32), array("f")
        for size in np.unique(options).tolist():
            rows = np.flatnonzero(options == size)
            logs = choices.logs_of(rows, size)
            scores = logs / np.array([lengths[row] for row in rows]) if self._metric == "acc_norm" else logs
            answers[rows] = scores.argmax(axis=1)
            weights = np.exp(logs - logs.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            probabilities.frombytes(weights.astype(np.float32).tobytes())
            self._run.probability_instances.frombytes(instances[rows].tobytes())
        self._run.probabilities.extend(probabilities)
        self._run.store_all(instances, self._codes(answers), choices.scores.astype(np.int8))
        self.count += len(instances)
        return True

    def _codes(self, answers: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        """The codes of numbers of choices."""
        codes = np.zeros(answers.max() + 1, np.int32)
        for answer in dict.fromkeys(answers.tolist()):  # in the order of appearance
            codes[answer] = self._builder.vocabulary.code(str(answer))
        return np.take(codes, answers)
