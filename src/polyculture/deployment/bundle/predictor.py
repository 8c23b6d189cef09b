"""What do the set and its members answer? The graphs run in onnxruntime, all in one, or one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.errors import FileError, InputError, need

from . import combine
from .manifest import Manifest

if TYPE_CHECKING:
    from .bundle import Bundle


FUSED_OUTPUTS = ("combined", "members")
"""Outputs of the graph of all members."""


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """What the set and every member give for n instances.

    Parameters
    ----------
    combined : n × c probabilities (of votes: shares), for tokens n × steps × c, for a regression n × 1 values; nan
        where no member answered.
    members : n × m × c, for tokens n × m × steps × c, for a regression n × m × 1; nan where a member gave none.
    answered : of each member, whether it answered; m, or n × m where that differs by instance.
    manifest : rule, classes and conformal threshold.
    length : tokens of each sequence; None where instances are no sequences.
    """

    combined: Float[np.ndarray, "n ..."]
    members: Float[np.ndarray, "n m ..."]
    answered: Bool[np.ndarray, ...]
    manifest: Manifest
    length: Int[np.ndarray, " n"] | None = None

    def __len__(self) -> int:
        return len(self.combined)

    @property
    def member_answers(self) -> Int[np.ndarray, "n m ..."]:
        """Most probable class of each member; −1 where it gave none, after the end of a sequence, and of numbers."""
        if self.manifest.task == "regression":
            return np.full(self.members.shape[:2], -1)
        codes = combine.answers(self.members)
        return codes if self.length is None else np.where(self._within[:, None], codes, -1)

    @property
    def answer(self) -> Int[np.ndarray, "n ..."]:
        """The set's answer as a position in the classes; −1 where there is none, and of numbers."""
        if self.manifest.task == "regression":
            return np.full(len(self), -1)
        votes = self.manifest.votes
        codes = combine.vote_answers(self.combined, self.member_answers) if votes else combine.answers(self.combined)
        return codes if self.length is None else np.where(self._within, codes, -1)

    @property
    def confidence(self) -> Float[np.ndarray, "n ..."]:
        """Probability of the answer, or its share of the vote; nan where there is none, and of numbers."""
        if self.manifest.task == "regression":
            return np.full(len(self), np.nan)
        codes = self.answer
        values = np.take_along_axis(self.combined, np.maximum(codes, 0)[..., None], axis=-1)[..., 0]
        return np.asarray(np.where(codes >= 0, values, np.nan))

    @property
    def value(self) -> Float[np.ndarray, " n"]:
        """The predicted numbers; nan where classes are predicted."""
        return np.asarray(self.combined[:, 0]) if self.manifest.task == "regression" else np.full(len(self), np.nan)

    @property
    def member_values(self) -> Float[np.ndarray, "n m"]:
        """Numbers that the members predict; nan where classes are predicted."""
        regression = self.manifest.task == "regression"
        return np.asarray(self.members[:, :, 0]) if regression else np.full(self.members.shape[:2], np.nan)

    @property
    def disagreement(self) -> Float[np.ndarray, " n"]:
        """Share of the members that do not give the most frequent answer.

        Of a sequence the mean over its tokens; of numbers the standard deviation of the members' values.
        """
        if self.manifest.task == "regression":
            return _deviation(self.member_values)
        shares: np.ndarray = combine.disagreement(self.member_answers, self.manifest.width)
        if self.length is None:
            return shares
        present = ~np.isnan(shares)
        total = np.where(present, shares, 0.0).sum(axis=1)
        mean = np.full(len(self), np.nan)
        np.divide(total, present.sum(axis=1), out=mean, where=present.any(axis=1))
        return mean

    @property
    def quorum(self) -> Int[np.ndarray, " n"]:
        """Number of members that answered each instance."""
        answered = np.broadcast_to(self.answered, self.members.shape[:2])
        return np.asarray(answered.sum(axis=1))

    @property
    def conformal_sets(self) -> Bool[np.ndarray, "n ... c"] | None:
        """Classes with enough probability to be in the conformal set; None without a threshold, and of numbers."""
        threshold = self.manifest.conformal.get("threshold")
        if threshold is None or self.manifest.task == "regression":
            return None
        return np.asarray(self.combined >= 1 - threshold - 1e-6)

    @property
    def conformal_interval(self) -> Float[np.ndarray, "n 2"] | None:
        """Limits of the conformal interval of a number; None without a threshold, and of classes."""
        threshold = self.manifest.conformal.get("threshold")
        if threshold is None or self.manifest.task != "regression":
            return None
        return np.asarray(self.combined + np.array([-threshold, threshold]))

    @property
    def _within(self) -> Bool[np.ndarray, "n steps"]:
        assert self.length is not None
        return np.arange(self.combined.shape[1]) < self.length[:, None]


class Predictor:
    """The graphs of a bundle, loaded.

    Parameters
    ----------
    bundle : whose graphs; each is compared with its digest when it is read.
    threads : that one call may use.
    fused : whether the graph of all members is used where there is one; without it each member can fail by itself.

    Raises FileError for a graph that cannot be loaded, MissingExtraError without onnxruntime.
    """

    def __init__(self, bundle: Bundle, threads: int = 1, fused: bool = True) -> None:
        need("onnxruntime", extra="serve")
        self.manifest = bundle.manifest
        self._fused = fused and bool(self.manifest.fused)
        graphs = {member.id: member.graph for member in self.manifest.members if member.graph}
        names = {"": self.manifest.fused} if self._fused else graphs
        self._sessions = {key: _session(bundle, name, threads) for key, name in names.items()}

    def __call__(self, views: Mapping[str, np.ndarray]) -> Answers:
        """What the set and every member answer to these inputs, by view.

        A member whose graph fails, and one that is remote, has not answered; `answers` combines what others brought.
        """
        if not all(map(len, views.values())):
            return self._nothing(views)
        if self._fused:
            combined, members = _run(self._sessions[""], views, FUSED_OUTPUTS)
            answered = np.ones(members.shape[1], bool)
            return Answers(combined, members, answered, self.manifest, _length(self.manifest, views))
        outputs = [self.member(member.id, views) for member in self.manifest.members]
        return self.answers(outputs, views)

    def _nothing(self, views: Mapping[str, np.ndarray]) -> Answers:
        """The answers to no instances, which are not shown to the graphs: recurrent ones would end the process."""
        m, tags = len(self.manifest.members), self.manifest.task == "tagging"
        steps = next(iter(views.values())).shape[1:2] if tags else ()
        shape = (*steps, self.manifest.width)
        empty = np.zeros((0, *shape), np.float32), np.zeros((0, m, *shape), np.float32)
        return Answers(*empty, np.ones(m, bool), self.manifest, _length(self.manifest, views))

    def member(self, name: str, views: Mapping[str, np.ndarray]) -> Float[np.ndarray, "n ..."] | None:
        """What one member gives; None where its graph fails, or where it is remote. Not for a fused predictor."""
        session = self._sessions.get(name)
        if session is None:
            return None
        try:
            (output,) = _run(session, views)
        except InputError:  # the others may answer
            return None
        return output

    def answers(self, outputs: Sequence[np.ndarray | None], views: Mapping[str, np.ndarray]) -> Answers:
        """The answers from what each member gave, in their order; None where it gave nothing.

        Rows of nan are instances that a member did not answer.
        """
        n = len(next(iter(views.values())))
        shapes = [output.shape[1:] for output in outputs if output is not None]
        shape = shapes[0] if shapes else (self.manifest.width,)
        missing = np.full((n, *shape), np.nan, np.float32)
        members = np.stack([missing if output is None else output for output in outputs], axis=1).astype(np.float32)
        answered = np.asarray(~np.isnan(members.reshape(*members.shape[:2], -1)).any(axis=2))
        combination = combine.combined(self.manifest, members)
        return Answers(combination, members, answered, self.manifest, _length(self.manifest, views))


def _length(manifest: Manifest, views: Mapping[str, np.ndarray]) -> Int[np.ndarray, " n"] | None:
    """Tokens of each sequence: the steps with a mark."""
    if manifest.task != "tagging":
        return None
    name = next(view.name for view in manifest.views if view.kind in ("mark_codes", "mark_counts"))
    return np.asarray((views[name] != 0).any(axis=2).sum(axis=1))


def _session(bundle: Bundle, name: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(bundle.content(name), options, providers=["CPUExecutionProvider"])
    except FileError:
        raise
    except Exception as error:  # onnxruntime has errors of its own for a damaged graph
        reason = " ".join(str(error).split())[:200]
        raise FileError(f"cannot load {bundle.path / name}: {reason}", "a graph that onnxruntime reads") from error
    _check_ports(session, bundle, name)
    return session


def _check_ports(session: Any, bundle: Bundle, name: str) -> None:
    """Refuse a graph that reads or gives something else than the manifest says."""
    views = {view.name for view in bundle.manifest.views}
    unknown = [port.name for port in session.get_inputs() if port.name not in views]
    if unknown:
        raise FileError(f"{bundle.path / name} reads {unknown[0]!r}", f"one of {', '.join(sorted(views))}")
    outputs = [port.name for port in session.get_outputs()]
    if name == bundle.manifest.fused and not set(FUSED_OUTPUTS) <= set(outputs):
        raise FileError(f"{bundle.path / name} gives {', '.join(outputs)}", " and ".join(FUSED_OUTPUTS))


def _run(session: Any, views: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> list[np.ndarray]:
    inputs = {port.name: views[port.name] for port in session.get_inputs()}
    try:
        return list(session.run(outputs, inputs))
    except Exception as error:  # likewise
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"the graph cannot read these inputs: {reason}", "the shape that the manifest names"
        ) from error


def _deviation(values: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " n"]:
    """Standard deviation of each row over its finite values; nan where there is none."""
    present = np.isfinite(values)
    count = present.sum(axis=1)
    divisor = np.where(count > 0, count, 1)
    centre = np.where(present, values, 0.0).sum(axis=1) / divisor
    variance = np.where(present, (values - centre[:, None]) ** 2, 0.0).sum(axis=1) / divisor
    return np.where(count > 0, np.sqrt(variance), np.nan)
