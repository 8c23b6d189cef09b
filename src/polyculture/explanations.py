"""What does every model look at in every instance? Attributions of the features to what the model predicts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int, Shaped

from polyculture.errors import InputError, near, visible
from polyculture.stats.interval import plural


@dataclass(frozen=True, eq=False)
class Explanations:
    """Attribution of every feature of every instance to the prediction of every model.

    Parameters
    ----------
    models : one row per model, indexed by model id; its columns are factors, as in `Predictions`.
    instances : one row per instance, indexed by instance id, as in `Predictions`.
    values : m × n × d attributions, the features of an instance flattened: how much each moves the target, in units of
        `scale`; for methods without a sign, how important each is.
    feature_shape : of the features of one instance, with product d: (d,) for tables, (h, w) for images (channels are
        summed), (depth, h, w) for volumes, (steps, features) for series, (frames, bands) for audio, (words,) for texts.
    features : d names, of the columns of a table; empty where features have no names.
    words : n × d words of texts, empty after the end of a text; None for other modalities.
    method : its name in `polyculture.explanation.METHODS`.
    target : which class is explained: ``"predicted"``, ``"label"`` or the name of a class; ``"number"`` for regression.
    baseline : in words, with what an instance is compared.
    seed : of everything random in the method.
    seconds : that each model took; nan where unknown.
    targets : m × n codes of the classes that are explained, indices into `classes`; 0 for regression.
    inputs : the n instances that were explained, as the dataset has them; None where they are not at hand.
    classes : what each code stands for; empty for regression.
    scale : what the attributions add up in: ``"logit"``, ``"probability"`` or ``"number"``.
    modality : of the inputs, such as ``"image"``.

    Raises InputError for shapes that do not fit, repeated ids, and attributions that are not finite.

    Examples
    --------
    >>> names = {"models": ["ann", "bob"], "instances": [0]}
    >>> tables = {key: pd.DataFrame(index=value) for key, value in names.items()}
    >>> values = np.array([[[1, -2]], [[0, 1]]], np.float32)
    >>> explanations = pc.Explanations(**tables, values=values, feature_shape=(2,), features=("age", "income"))
    >>> explanations.shape
    (2, 1, 2)
    >>> explanations.mean_importance()
            ann  bob
    age     1.0  0.0
    income  2.0  1.0
    """

    models: pd.DataFrame
    instances: pd.DataFrame
    values: Float32[np.ndarray, "m n d"]
    feature_shape: tuple[int, ...]
    features: tuple[str, ...] = ()
    words: Shaped[np.ndarray, "n d"] | None = None
    method: str = ""
    target: str = "predicted"
    baseline: str = ""
    seed: int = 0
    seconds: tuple[float, ...] = ()
    targets: Int[np.ndarray, "m n"] | None = None
    inputs: Shaped[np.ndarray, "n ..."] | None = None
    classes: tuple[str, ...] = ()
    scale: str = "probability"
    modality: str = "table"

    def __post_init__(self) -> None:
        if not self.seconds:
            object.__setattr__(self, "seconds", (float("nan"),) * len(self.models))
        self._check_names()
        self._check_shapes()
        self._check_numbers()

    def _check_names(self) -> None:
        for kind, index in (("model", self.models.index), ("instance", self.instances.index)):
            if not len(index):
                raise InputError(f"explanations of no {kind}", f"one {kind} or more")
            if index.has_duplicates:
                repeated = index[index.duplicated()][0]
                raise InputError(f"the {kind} id {repeated!r} occurs more than once", f"an id of its own per {kind}")

    def _check_shapes(self) -> None:
        m, n, d = len(self.models), len(self.instances), int(np.prod(self.feature_shape))
        if self.values.shape != (m, n, d):
            raise InputError(
                f"attributions have shape {self.values.shape}",
                f"{(m, n, d)}, for {m} models, {n} instances and features of shape {self.feature_shape}",
            )
        sizes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
        sizes = {"features": ((d,), np.shape(self.features) if self.features else (d,))}
        sizes["seconds"] = ((m,), np.shape(self.seconds))
        for name, shape in {"words": (n, d), "targets": (m, n)}.items():
            array = getattr(self, name)
            if array is not None:
                sizes[name] = (shape, array.shape)
        if self.inputs is not None:
            sizes["inputs"] = ((n,), self.inputs.shape[:1])
        for name, (expected, size) in sizes.items():
            if size != expected:
                raise InputError(f"{name} of explanations have shape {size}", f"{expected}")

    def _check_numbers(self) -> None:
        if not np.isfinite(self.values).all():
            model, instance, _ = np.argwhere(~np.isfinite(self.values))[0]
            raise InputError(
                f"an attribution of the model {self.model_ids[model]!r} to the instance "
                f"{self.instances.index[instance]!r} is not finite",
                "finite numbers",
            )
        if self.targets is not None and len(self.targets):
            low, high, classes = int(self.targets.min()), int(self.targets.max()), max(1, len(self.classes))
            if self.classes and (low < 0 or high >= classes):
                raise InputError(f"targets run from {low} to {high}", f"codes of the {classes} classes")

    def __repr__(self) -> str:
        """Size, method and target, then the first models."""
        m, n, d = self.shape
        target = f"; {self.scale} of the {self.target} class" if self.classes else f"; {self.scale}"
        size = " × ".join(plural(count, noun) for count, noun in ((m, "model"), (n, "instance"), (d, "feature")))
        text = f"Explanations: {size}, {self.method or 'unknown method'}{target}"
        rows = [f"  {visible(model)[:90]}" for model in self.model_ids[:5]]
        rows += [f"  … {m - 5:,} more models"] if m > 5 else []
        return "\n".join([visible(text), *rows])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Models, instances, features."""
        return len(self.models), len(self.instances), self.values.shape[2]

    @property
    def model_ids(self) -> list[str]:
        """Ids in the order of the rows."""
        return [str(model) for model in self.models.index]

    @property
    def maps(self) -> Float32[np.ndarray, "m n ..."]:
        """The attributions in the shape of the features, such as m × n × h × w."""
        return self.values.reshape(*self.values.shape[:2], *self.feature_shape)

    def take_models(self, ids: Sequence[Hashable]) -> Explanations:
        """The same instances explained for these models only, in this order; InputError for an unknown id."""
        index = list(self.models.index)
        for model in ids:
            if model not in index:
                raise InputError(f"no model {model!r}", cure=near(str(model), index))
        rows = [index.index(model) for model in ids]
        targets = None if self.targets is None else self.targets[rows]
        seconds = tuple(self.seconds[row] for row in rows)
        return replace(self, models=self.models.iloc[rows], values=self.values[rows], seconds=seconds, targets=targets)

    def take_instances(self, rows: Int[np.ndarray, " k"]) -> Explanations:
        """The same models on the instances at these positions, in this order."""
        arrays = {name: array[rows] for name in ("words", "inputs") if (array := getattr(self, name)) is not None}
        if self.targets is not None:
            arrays["targets"] = self.targets[:, rows]
        return replace(self, instances=self.instances.iloc[rows], values=self.values[:, rows], **arrays)

    def feature_names(self) -> list[str]:
        """A name for each feature: that of the column, or its place, such as ``"3, 4"`` (row and column, from 0)."""
        if self.features:
            return list(self.features)
        return [", ".join(map(str, place)) for place in np.ndindex(*self.feature_shape)]

    def mean_importance(self) -> pd.DataFrame:
        """Absolute attribution of each feature per instance: a row per feature, a column per model.

        For texts a row per word that occurs, with its absolute attributions summed over all its places and divided by
        the number of instances.
        """
        sizes = np.abs(self.values.astype(np.float64))
        if self.words is None:
            return pd.DataFrame(sizes.mean(axis=1).T, self.feature_names(), self.model_ids)
        places = np.nonzero(self.words != "")
        table = pd.DataFrame(sizes[:, places[0], places[1]].T, columns=self.model_ids)
        return table.groupby(self.words[places].astype(str)).sum().rename_axis(None) / len(self.instances)
