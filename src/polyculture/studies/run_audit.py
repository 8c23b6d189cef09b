"""How alike are the models of a finished run? Its folder audited again, or some of its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from polyculture.auditing import AuditOptions, audit
from polyculture.errors import PolycultureError
from polyculture.predictions import Predictions
from polyculture.results import Audit

from .run_folder import AUDIT, read_audit
from .stored_run import StoredRun, read_run

_LONG = ("model", "answer", "repeat")
"""Options of a table with a row per answer."""


def audit_run(
    folder: str | Path, predictions: Predictions | None = None, options: AuditOptions | None = None
) -> tuple[Audit, StoredRun]:
    """The audit of a run from what its folder keeps: test set, other parts and every shift; and what was read.

    Parameters
    ----------
    folder : of the run.
    predictions : on the test set, as `polyculture.read` gives them for the folder; all models if left out. Those of
        some models, or with other factors, are audited like this on every part.
    options : what else is known; clusters and groups that it leaves open are those of the run.

    Raises FileError and InputError where the folder is damaged.

    Examples
    --------
    >>> options = pc.RunOptions(recipes=[pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")], workers=1)
    >>> result = pc.run("iris", options, out="iris-again")
    >>> audit, _ = pc.audit_run("iris-again")
    >>> audit.sentence == result.audit.sentence
    True
    """
    run = read_run(folder, () if predictions is None else predictions.model_ids, probabilities=False)
    if predictions is not None:
        models = predictions.models
        run = replace(run, sets=run.sets.map(lambda part: replace(part, models=models)))
    sets, options = run.sets, options or AuditOptions()
    options = replace(
        options, designed=True, clusters=options.clusters or sets.cluster, groups=options.groups or sets.groups
    )
    result = audit(sets.test, source=run.source, options=options, shifted=sets.companions)
    return replace(result, pictures=_pictures(Path(folder), result)), run


def _pictures(folder: Path, audit: Audit) -> Mapping[str, Int[np.ndarray, "h w"]]:
    """The pictures of the hardest instances that the stored audit has."""
    try:
        stored = read_audit(folder / AUDIT).pictures
    except PolycultureError:  # the folder may hold predictions only
        return {}
    hardest = map(str, audit.systemic.hardest["instance"])
    return {name: stored[name] for name in hardest if name in stored}
