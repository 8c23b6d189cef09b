"""How does what was selected or fitted become a bundle? Member by member as graphs, each compared with its model."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.errors import InputError, PolycultureError, need
from polyculture.models.graphs.sparse import with_sparse_weights
from polyculture.models.graphs.versions import unified
from polyculture.studies.progress import Progress, phase_progress

from ..bundle.bundle import Bundle
from ..bundle.encoding import encode, read_encoder
from ..bundle.manifest import SCHEMA, Manifest, MemberEntry, finite
from ..bundle.writing import check_target, write_bundle
from ..remote.panel_bundle import panel_bundle
from . import reference as reference_statistics
from .card import model_card
from .checks import check_fused, checked_rows, export_error
from .fused import fused_graph
from .sources.material import ExportSource, SourceMember
from .sources.views import shared_views

FUSED, REFERENCE, CARD, RULES_FILE = "portfolio.onnx", "reference.json", "card.md", "rules.yml"
SOFTWARE = ("polyculture", "numpy", "onnx", "onnxruntime", "scikit-learn", "torch", "skl2onnx")
"""Packages whose versions a manifest names."""


@dataclass(frozen=True)
class ExportOptions:
    """How a bundle is written.

    Parameters
    ----------
    name : of the bundle; empty for that of the problem.
    quorum : fewest members that have to answer; None for more than half.
    masked : columns that a server never stores.
    requests : from one false alarm of the watch to the next on average, at least.

    Raises InputError for a quorum or a number of requests below 1.

    Examples
    --------
    >>> pc.ExportOptions(quorum=2, masked=("name", "birthday")).requests
    10000
    """

    name: str = ""
    quorum: int | None = None
    masked: tuple[str, ...] = ()
    requests: int = 10_000

    def __post_init__(self) -> None:
        if self.quorum is not None and self.quorum < 1:
            raise InputError(f"a quorum of {self.quorum}", "1 member or more")
        if self.requests < 1:
            raise InputError(f"a false alarm in {self.requests} requests", "1 or more")


def export(
    source: Any,
    out: str | Path,
    *,
    run: str | Path | None = None,
    problem: Any = None,
    held_out: tuple[Any, Any] | None = None,
    options: ExportOptions | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Write a portfolio as a bundle: a folder of graphs and plain files that answers without what it was trained with.

    Every graph is compared with its model on held-out instances; a model whose probabilities differ by more than 1e-4
    is refused with its name. The folder is complete or absent; a bundle that is there already is replaced.

    Parameters
    ----------
    source : folder of `polyculture run` (a portfolio is then selected by the defaults), folder or file that
        `polyculture select` wrote, a `Portfolio`, a fitted estimator of this package, or a TOML file that names remote
        members.
    out : folder of the bundle.
    run : folder with the trained models, where the portfolio does not name it.
    problem : that the models were trained on, if it is none that can be loaded again by name or from files.
    held_out : rows that an estimator was not fitted on, and their targets, to check its graphs on; without them they
        are checked on rows that it has kept.
    options : name, quorum and what else the bundle says.
    progress : called in the phases reading, exporting and checking.

    Raises InputError and FileError, in one line, for what cannot be exported, and leaves no half-written folder.

    Examples
    --------
    >>> options = pc.RunOptions(recipes=[pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")], workers=1)
    >>> result = pc.run("iris", options, out="iris-to-ship")
    >>> bundle = pc.export("iris-to-ship", "iris-bundle")
    >>> bundle.predict(bundle.read_inputs([[5.1, 3.5, 1.4, 0.2]])).answer
    array([0])
    """
    options = options or ExportOptions()
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".toml":
        return panel_bundle(source, out, name=options.name, quorum=options.quorum, masked=options.masked)
    need("onnx", "onnxruntime", "skl2onnx", extra="export")
    check_target(Path(out))
    material = read_source(source, run, problem, held_out)
    phase_progress(progress, "reading")(1, 1, material.name)
    return write_source(material, Path(out), options, progress)


def read_source(
    source: Any,
    run: str | Path | None = None,
    problem: Any = None,
    held_out: tuple[Any, Any] | None = None,
) -> ExportSource:
    """What to export; parameters as those of `export`."""
    from polyculture.results import Portfolio

    if isinstance(source, str | Path | Portfolio):
        from .sources.runs import run_source

        return run_source(source, run, problem)
    if hasattr(source, "folder") and hasattr(source, "population"):
        from .sources.runs import run_source

        return run_source(source.folder, run, problem or source.problem)
    from .sources.estimators import estimator_source

    return estimator_source(source, held_out)


def write_source(source: ExportSource, out: Path, options: ExportOptions, progress: Progress | None = None) -> Bundle:
    """Write the bundle of this material."""
    views, view_by_member, files = shared_views(source)
    graphs = _graphs(source, view_by_member, phase_progress(progress, "exporting"))
    manifest = _manifest(source, options, views, view_by_member)
    errors = _errors(source, manifest, graphs, files, phase_progress(progress, "checking"))
    members = tuple(replace(entry, export_error=errors[entry.id]) for entry in manifest.members)
    manifest = replace(manifest, members=members)
    contents = files | {entry.graph: graphs[entry.id].SerializeToString() for entry in members}
    contents[FUSED] = fused_graph(manifest, graphs).SerializeToString()
    statistics: Mapping[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="polyculture-") as folder:
        draft = write_bundle(Path(folder) / "draft", manifest, contents)
        check_fused(draft, source)
        if source.certified.any():
            manifest, statistics = _with_reference(source, draft, options)
    if statistics:
        contents[REFERENCE] = (json.dumps(finite(statistics), allow_nan=False) + "\n").encode()
    contents[CARD] = model_card(manifest, statistics, source.sentence).encode()
    contents |= _alert_rules(manifest)
    return write_bundle(out, manifest, contents)


def _with_reference(source: ExportSource, draft: Bundle, options: ExportOptions) -> tuple[Manifest, dict[str, Any]]:
    """The manifest with conformal threshold and alarms, and the statistics at certification."""
    manifest = draft.manifest
    answers, labels = reference_statistics.certified_answers(draft, source)
    statistics = reference_statistics.reference(draft, source, answers, labels)
    conformal = reference_statistics.conformal_threshold(answers, labels)
    alarms = _alarms(manifest, statistics, options)
    return replace(manifest, reference=REFERENCE, conformal=conformal, alarms=alarms), statistics


def _graphs(
    source: ExportSource, view_by_member: Mapping[str, str], progress: Callable[[int, int, str], None]
) -> dict[str, Any]:
    """The graph of each member, in the versions of the bundle."""
    graphs = {}
    for count, member in enumerate(source.members):
        progress(count, len(source.members), member.name)
        graphs[member.id] = _graph(member, view_by_member[member.id])
    progress(len(source.members), len(source.members), "")
    return graphs


def _graph(member: SourceMember, view: str) -> Any:
    try:
        return with_sparse_weights(unified(member.graph(view)))
    except PolycultureError as error:
        wrong = error.wrong if member.name in error.wrong else f"{member.name!r} cannot be exported: {error.wrong}"
        raise InputError(wrong, error.expected, error.cure or "select without that model") from error
    except Exception as error:  # exporters raise whatever they like
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        raise InputError(
            f"{member.name!r} cannot be exported ({reason})", "a model with a graph", "select without that model"
        ) from error


def _manifest(source: ExportSource, options: ExportOptions, views: Any, view_by_member: Mapping[str, str]) -> Manifest:
    """The manifest without what is only known once the graphs run."""
    m = len(source.members)
    quorum = m // 2 + 1 if options.quorum is None else options.quorum
    if quorum > m:
        raise InputError(f"a quorum of {quorum} of {m} members", f"at most {m}")
    names = {column.name for column in source.columns}
    unknown = next((name for name in options.masked if name not in names), None)
    if unknown is not None and names:
        raise InputError(f"no column {unknown!r} to mask", f"one of {', '.join(sorted(names)[:12])}")
    entries = tuple(
        MemberEntry(
            id=member.id,
            name=member.name,
            weight=float(member.weight),
            weights_by_class=tuple(map(float, member.weights_by_class)),
            graph=f"members/{member.id}.onnx",
            view=view_by_member[member.id],
            recipe=member.recipe,
            ancestry=member.ancestry,
        )
        for member in source.members
    )
    return Manifest(
        schema=SCHEMA,
        name=options.name or source.name,
        version="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=source.task,
        modality=source.modality,
        classes=source.classes,
        input_shape=source.input_shape,
        input_range=source.input_range,
        views=views,
        members=entries,
        rule=source.rule,
        columns=source.columns,
        temperature=float(source.temperature),
        bias=tuple(map(float, source.bias)),
        floor=source.floor,
        quorum=quorum,
        fused=FUSED,
        certificate=source.certificate,
        masked=options.masked,
        source=source.source,
        software={"python": platform.python_version()} | _versions(),
    )


def _errors(
    source: ExportSource,
    manifest: Manifest,
    graphs: Mapping[str, Any],
    files: Mapping[str, bytes],
    progress: Callable[[int, int, str], None],
) -> dict[str, float]:
    """The largest error of each graph, on inputs that the bundle has encoded from raw ones."""
    rows = checked_rows(source)
    encoders = {view.name: read_encoder(json.loads(files[view.file])) for view in manifest.views if view.file}
    views = encode(manifest, encoders, np.asarray(source.raw)[rows])
    errors = {}
    for count, (member, entry) in enumerate(zip(source.members, manifest.members, strict=True)):
        progress(count, len(source.members), member.name)
        errors[member.id] = export_error(member, graphs[member.id], views[entry.view], source, rows)
    progress(len(source.members), len(source.members), "")
    return errors


def _alarms(manifest: Manifest, statistics: Mapping[str, Any], options: ExportOptions) -> tuple[Any, ...]:
    from ..watch import default_alarms

    return tuple(default_alarms(manifest.ids, statistics, options.requests, modality=manifest.modality))


def _alert_rules(manifest: Manifest) -> dict[str, bytes]:
    """Rules for Prometheus."""
    from ..watch.alerting.rules import alert_rules

    return {RULES_FILE: alert_rules(manifest).encode()}


def _versions() -> dict[str, str]:
    versions = {}
    for package in SOFTWARE:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
