"""What is exported? Members that were fitted, how they are combined, and held-out instances to check them on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ...bundle.manifest import SMALLEST, Column, InputView, Task

Outputs = Callable[[np.ndarray], np.ndarray]
"""From raw inputs to probabilities, a row for each instance or token; of a regression to values, n × 1."""


@dataclass(frozen=True, eq=False)
class SourceMember:
    """A fitted member.

    Parameters
    ----------
    id, name : as in the manifest.
    outputs : what it gives for the checked inputs; with it the graph is compared.
    graph : its graph, for a name of the input.
    view : what the graph reads; its name is settled where the views of all members are known.
    vocabulary : that the view needs; None where it needs none.
    weight, weights_by_class, recipe, ancestry : as in the manifest.
    undetermined : for which inputs the model's own answer depends on the order of its training rows.
    """

    id: str
    name: str
    outputs: Outputs
    graph: Callable[[str], Any]
    view: InputView
    vocabulary: Mapping[str, Any] | None = None
    weight: float = 1.0
    weights_by_class: tuple[float, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    ancestry: Mapping[str, str] = field(default_factory=dict)
    undetermined: Callable[[Any], np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class ExportSource:
    """Everything that a bundle is made of.

    Parameters
    ----------
    name, task, modality, classes, input_shape, input_range, columns : as in the manifest.
    members : heaviest first.
    rule, temperature, bias, floor : of the combination.
    inputs : held-out instances as the members read them.
    raw : the same as users send them, which the bundle encodes.
    labels : class codes of these instances (n × steps for tags, −1 after the end), or numbers.
    certified : which of them certified the portfolio; on these, reference and conformal threshold are computed. Where
        there is none, the bundle has neither.
    crossfitted : outputs of the members (n × m × c) and their combination (n × c) for these instances, by fits that had
        not seen them, where the members themselves have seen them all.
    instances : what is known about them.
    groups : columns of `instances` that are watched one by one.
    table : how columns become numbers; None where inputs are no columns by name.
    certificate : of the portfolio, as JSON.
    sentence : what the portfolio is worth.
    source : where it came from, for who trains the successor.
    """

    name: str
    task: Task
    modality: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    members: tuple[SourceMember, ...]
    rule: str
    inputs: Any
    raw: np.ndarray
    labels: np.ndarray
    certified: np.ndarray
    instances: pd.DataFrame
    columns: tuple[Column, ...] = ()
    input_range: tuple[float, ...] = ()
    temperature: float = 1.0
    bias: tuple[float, ...] = ()
    floor: float = SMALLEST
    crossfitted: tuple[np.ndarray, np.ndarray] | None = None
    groups: Sequence[str] = ()
    table: Mapping[str, Any] | None = None
    certificate: Mapping[str, Any] = field(default_factory=dict)
    sentence: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)

    def take(self, rows: np.ndarray) -> Any:
        """The inputs at these positions, as the members read them."""
        return self.inputs.iloc[rows] if hasattr(self.inputs, "iloc") else self.inputs[rows]
