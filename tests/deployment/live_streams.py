"""Streams of answers for tests of the watch: three members that err alone or together, with labels and inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.deployment.bundle import AlarmSpec, Manifest, MemberEntry
from polyculture.deployment.store.records import AnswerRecord
from polyculture.deployment.watch import CertifiedAnswers, default_alarms, reference_statistics
from polyculture.rng import stream

IDS = ("m0", "m1", "m2")
CLASSES = ("c0", "c1", "c2")
COLUMNS = ("age", "height", "weight", "income")
VERSION = "0123456789ab"


@dataclass(frozen=True)
class Traffic:
    """Answers of three members and of their majority, the truth, and four numbers of each input."""

    truth: np.ndarray
    members: np.ndarray
    answer: np.ndarray
    confidence: np.ndarray
    profile: np.ndarray
    site: list[str]

    def records(self, start: int = 0, version: str = VERSION, **fields: Any) -> list[AnswerRecord]:
        """One record per instance, a tenth of a second apart, with ids r0, r1, …."""
        return [
            AnswerRecord(
                id=f"r{start + k}",
                time=1_000_000.0 + 0.1 * (start + k),
                version=version,
                answer=int(self.answer[k]),
                confidence=float(self.confidence[k]),
                member_answers=tuple(self.members[k].tolist()),
                disagreement=float((self.members[k] != self.answer[k]).mean()),
                quorum=int((self.members[k] >= 0).sum()),
                latency_ms=2.0,
                groups={"site": self.site[k]},
                profile=tuple(self.profile[k].tolist()),
                **fields,
            )
            for k in range(len(self.truth))
        ]

    @property
    def labels(self) -> list[str]:
        return [CLASSES[code] for code in self.truth]


def traffic(n: int, error: float = 0.05, *, together: float = 0.0, shift: float = 0.0, seed: int = 0) -> Traffic:
    """Answers to n instances.

    Parameters
    ----------
    error : with which each member errs alone.
    together : share of instances on which all give the same wrong answer.
    shift : of the numbers of the inputs.
    """
    rng = stream(seed, "traffic", n, str((error, together, shift)))
    truth = rng.integers(0, 3, n)
    alone, joint = rng.random((n, 3)) < error, rng.random(n) < together
    offset = rng.integers(1, 3, (n, 3))
    members = np.where(alone, (truth[:, None] + offset) % 3, truth[:, None])
    members[joint] = ((truth + 1) % 3)[joint, None]
    votes = (members[:, :, None] == np.arange(3)).sum(axis=1)
    site = ["north" if k % 4 else "south" for k in range(n)]
    profile = rng.standard_normal((n, 4)) + shift
    return Traffic(truth, members, votes.argmax(axis=1), rng.beta(6, 1, n), profile, site)


def certified_statistics(n: int = 4000, seed: int = 99, **options: Any) -> dict[str, Any]:
    """`reference.json` of such traffic."""
    t = traffic(n, seed=seed, **options)
    none = np.full(t.members.shape, np.nan)
    return reference_statistics(
        CertifiedAnswers(
            answer=t.answer,
            member_answers=t.members,
            label=t.truth.astype(float),
            confidence=t.confidence,
            value=none[:, 0],
            member_values=none,
            classes=3,
            groups={"site": t.site},
            profile=t.profile,
            profile_names=COLUMNS,
            latency_ms=np.linspace(1, 9, 500),
        )
    )


def manifest_of(alarms: tuple[AlarmSpec, ...], **fields: Any) -> Manifest:
    """A manifest without graphs, of three members."""
    members = tuple(MemberEntry(name, f"model {name[1]}", 1 / 3) for name in IDS)
    known: dict[str, Any] = {
        "schema": 1,
        "name": "tiny",
        "version": VERSION,
        "created": "",
        "task": "classification",
        "modality": "table",
        "classes": CLASSES,
        "input_shape": (4,),
        "views": (),
        "members": members,
        "rule": "mixture",
        "alarms": alarms,
        "quorum": 2,
    }
    return Manifest(**(known | fields))


def certified_manifest(statistics: dict[str, Any], **fields: Any) -> Manifest:
    """The manifest with the default alarms of these statistics."""
    return manifest_of(default_alarms(IDS, statistics), **fields)


def filled_store(path: Path, parts: list[Traffic], labelled: int = 0, version: str = VERSION) -> str:
    """A store with these answers one after another, the first of them labelled; returns its path."""
    from polyculture.deployment.store import VersionNames, open_store

    with open_store(str(path)) as store:
        store.register(VersionNames(version, "classification", CLASSES, IDS))
        start = 0
        for part in parts:
            store.append(part.records(start, version))
            start += len(part.truth)
        labels = [label for part in parts for label in part.labels][:labelled]
        if labels:
            store.label([f"r{k}" for k in range(labelled)], labels, [2_000_000.0 + k for k in range(labelled)])
    return str(path)
