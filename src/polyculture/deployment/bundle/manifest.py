"""What does a bundle say about itself? Members, how they are combined, what they read, and what it was certified for.

The version of a bundle is a digest of the manifest's own text, in which stand the digests of all other files: whoever
has compared the version has compared every byte.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from polyculture.errors import FileError

from .decoding import decoded

SCHEMA = 1
"""Version of the format that this version of polyculture writes; newer ones are refused."""
MANIFEST = "manifest.json"
SMALLEST = 1e-12
"""Probabilities are raised to this before their logarithm is taken."""

ViewKind = Literal["numbers", "log_mel", "codes", "counts", "mark_codes", "mark_counts", "columns"]
Task = Literal["classification", "regression", "tagging"]


@dataclass(frozen=True)
class InputView:
    """What a graph reads. Members with the same view share one input of the fused graph.

    Parameters
    ----------
    name : of the graph's input, such as ``"numbers"`` or ``"codes_2"``.
    kind : ``"numbers"``: the input itself; ``"log_mel"``: the spectrogram of a recording; ``"codes"``, ``"counts"``: of
        the words of a text; ``"mark_codes"``, ``"mark_counts"``: of the marks of each token; ``"columns"``: numbers of
        a table with the position of each category in place of its name.
    shape : of one instance, without the batch axis; −1 where it varies.
    dtype : ``"float32"``, ``"float64"`` or ``"int64"``.
    file : vocabulary, in the bundle; empty where none is needed.
    """

    name: str
    kind: ViewKind
    shape: tuple[int, ...]
    dtype: Literal["float32", "float64", "int64"]
    file: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : of the column.
    kind : ``"number"`` or ``"category"``.
    categories : that were seen in training, in their order; others are unknown.
    missing : whether cells may be empty.
    """

    name: str
    kind: Literal["number", "category"] = "number"
    categories: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True)
class MemberEntry:
    """A member of the set.

    Parameters
    ----------
    id, name : as in the portfolio; how reports call it.
    weight : in the combination.
    weights_by_class : which count instead of `weight`; empty where there are none.
    graph : its file, such as ``"members/mlp-1.onnx"``; empty where it is remote.
    view : name of the view that it reads; empty where it is remote.
    recipe : what it was made of.
    ancestry : what it may share with other members: training data, pre-training, seed ….
    export_error : largest difference between the probabilities of the graph and of the original model on held-out
        rows (of a regression in standard deviations of the truth); None where it was not measured.
    remote : where it answers, if that is elsewhere.
    """

    id: str
    name: str
    weight: float
    weights_by_class: tuple[float, ...] = ()
    graph: str = ""
    view: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    ancestry: Mapping[str, str] = field(default_factory=dict)
    export_error: float | None = None
    remote: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class AlarmSpec:
    """What an alarm watches, and how far it may go.

    Parameters
    ----------
    name : such as ``"disagreement"``, ``"co_disagreement"``, ``"all_wrong"``, ``"error"``, ``"member_drift:ID"``,
        ``"input_drift:COLUMN"``, ``"quorum"``, ``"latency_p99"`` or ``"missing:COLUMN"``.
    reference : its value where the bundle was certified.
    shifted : the value that is to be discovered.
    direction : which way is bad.
    false_alarms_per : requests in which one false alarm is expected.
    threshold : of the statistic, calibrated for that; 0 where the watch calibrates it.
    """

    name: str
    reference: float
    shifted: float
    direction: Literal["up", "down"] = "up"
    false_alarms_per: int = 100_000
    threshold: float = 0.0


@dataclass(frozen=True)
class Manifest:
    """What a bundle says about itself, in ``manifest.json``.

    Parameters
    ----------
    schema : version of the format.
    name, version, created : name of the bundle; digest of its content (12 hexadecimal digits); date and time, UTC.
    task, modality : what is predicted, and from what.
    classes : in the order of the probabilities; empty for a regression.
    input_shape : of one raw input.
    input_range : least and greatest number of a raw input, such as (0, 1) of grey levels; empty where it is open.
    columns : of a table, in their order; empty for other inputs.
    views : what the graphs read.
    members : heaviest first.
    rule : how members are combined, as in `polyculture.selection.COMBINE` or, for numbers, ``AVERAGES``.
    temperature : by which logarithms of the combined probabilities are divided.
    bias : of each class, for the rule ``"stacking"``.
    floor : to which probabilities are raised before their logarithm is taken.
    quorum : fewest members that have to answer.
    fused : file of the graph of all members; empty where there is none.
    conformal : ``level`` and ``threshold``: the set of all classes with a probability of 1 − threshold or more has the
        true class with that level; for a regression the threshold is half of the interval's width.
    certificate : of the portfolio, as JSON.
    alarms : what the watch looks at.
    reference : file of the statistics that live traffic is compared with.
    masked : columns that are never stored.
    source : the run and the problem that the members are from, with which a successor can be trained.
    software : versions by name, with which the bundle was made.
    files : SHA-256 of every other file of the bundle, by path.
    """

    schema: int
    name: str
    version: str
    created: str
    task: Task
    modality: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    views: tuple[InputView, ...]
    members: tuple[MemberEntry, ...]
    rule: str
    input_range: tuple[float, ...] = ()
    columns: tuple[Column, ...] = ()
    temperature: float = 1.0
    bias: tuple[float, ...] = ()
    floor: float = SMALLEST
    quorum: int = 1
    fused: str = ""
    conformal: Mapping[str, float] = field(default_factory=dict)
    certificate: Mapping[str, Any] = field(default_factory=dict)
    alarms: tuple[AlarmSpec, ...] = ()
    reference: str = ""
    masked: tuple[str, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Numbers that a member gives for an instance (or a token): one per class, or 1."""
        return len(self.classes) or 1

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the members, in their order."""
        return tuple(member.id for member in self.members)

    @property
    def votes(self) -> bool:
        """Whether answers are counted, not probabilities."""
        return self.rule in ("vote", "weighted_vote")

    @property
    def remote(self) -> bool:
        """Whether some member answers elsewhere."""
        return any(member.remote is not None for member in self.members)

    def view(self, name: str) -> InputView:
        """The view of that name."""
        return next(view for view in self.views if view.name == name)

    def named_files(self) -> tuple[str, ...]:
        """The files that the manifest refers to."""
        graphs = [member.graph for member in self.members]
        return tuple(
            dict.fromkeys(f for f in (*graphs, *(v.file for v in self.views), self.fused, self.reference) if f)
        )

    def to_json(self) -> str:
        """The text of ``manifest.json``, with the version that belongs to it."""
        fields = asdict(self) | {"version": ""}
        text = json.dumps(finite(fields), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        return text.replace('"version": ""', f'"version": "{text_version(text)}"', 1)

    @classmethod
    def from_json(cls, text: str, place: str = MANIFEST) -> Manifest:
        """The manifest of this text; FileError for a damaged or newer one.

        Parameters
        ----------
        place : the file that errors name.
        """
        values = _values(text, place)
        manifest: Manifest = decoded(cls, values, place)
        if text_version(text) != manifest.version:
            raise _changed(place)
        manifest.check(place)
        return manifest

    def check(self, place: str = MANIFEST) -> None:
        """Refuse a manifest whose parts do not fit each other."""
        views, m, c = {view.name for view in self.views}, len(self.members), self.width
        wrong = [
            f"the member {x.id!r} reads the view {x.view!r}" for x in self.members if x.graph and x.view not in views
        ]
        wrong += [
            f"the member {x.id!r} has neither graph nor remote" for x in self.members if not x.graph and not x.remote
        ]
        wrong += ["two members of one id"] if len(set(self.ids)) < m else []
        wrong += ["no members"] if not m else []
        wrong += [f"a quorum of {self.quorum} of {m} members"] if not 1 <= self.quorum <= max(m, 1) else []
        wrong += [f"{len(self.bias)} biases for {c} classes"] if self.bias and len(self.bias) != c else []
        by_class = [x for x in self.members if x.weights_by_class and len(x.weights_by_class) != c]
        wrong += [f"weights of {by_class[0].id!r} for other classes"] if by_class else []
        wrong += ["no classes"] if self.task != "regression" and not self.classes else []
        wrong += ["a graph of all members, of which some are remote"] if self.fused and self.remote else []
        wrong += [f"the rule {self.rule!r}"] if self.rule not in RULES else []
        wrong += [f"the file {f!r} without a digest" for f in self.named_files() if f not in self.files]
        if wrong:
            raise FileError(f"{place} has {wrong[0]}", "a manifest that fits itself", "export the bundle again")


RULES = ("mean", "mixture", "geometric", "stacking", "vote", "weighted_vote", "average")
"""Rules that a bundle can combine by."""


def text_version(text: str) -> str:
    """The version that belongs to the text of a manifest: of its bytes with the version left empty."""
    head, mark, tail = text.partition('"version": "')
    blank = head + mark + tail[tail.find('"') :]
    return hashlib.sha256(blank.encode()).hexdigest()[:12]


def finite(value: Any) -> Any:
    """The same with null for numbers that are not finite, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _values(text: str, place: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
        schema = values["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _changed(place) from error
    if not isinstance(schema, int) or schema > SCHEMA or schema < 1:
        raise FileError(f"{place} is of schema {schema!r}", f"{SCHEMA} or lower", "update polyculture")
    return dict(values)


def _changed(place: str) -> FileError:
    return FileError(f"{place} was changed after the bundle was written", "its own bytes", "export the bundle again")
