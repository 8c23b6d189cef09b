"""Which changes can be tried, one at a time? Each departs from a baseline recipe on one axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from polyculture.dataset import Dataset
from polyculture.errors import InputError, PolycultureError, near
from polyculture.recipe import AXES, Recipe, replicate
from polyculture.training.architectures import find_architecture
from polyculture.training.data_levels import DATA
from polyculture.training.fit import check
from polyculture.training.objectives import OBJECTIVES
from polyculture.training.optimizers import OPTIMIZERS
from polyculture.training.pretraining import PRETRAINING
from polyculture.training.schedule import PACES

BASELINE = "plain"
"""The name of the recipe without a change."""
ALL = "all"

CHANGES: dict[str, tuple[str, str | Mapping[str, Any]]] = {
    # regularizers of the weights
    "dropout": ("hyperparameters", {"dropout": 0.3}),
    "weight-decay": ("hyperparameters", {"weight_decay": 0.5}),
    "l1": ("hyperparameters", {"l1": 1e-4}),
    "batch-norm": ("hyperparameters", {"normalization": "batch"}),
    "layer-norm": ("hyperparameters", {"normalization": "layer"}),
    "self-normalization": ("architecture", {"mlp": "selu-mlp"}),
    # length and smoothness of training
    "early-stopping": ("hyperparameters", {"patience": 3}),
    "clipping": ("hyperparameters", {"clip": 1.0}),
    "ema": ("hyperparameters", {"averaging": "ema"}),
    "swa": ("hyperparameters", {"averaging": "swa"}),
    "snapshot": ("hyperparameters", {"averaging": "snapshot"}),
    "small-batches": ("hyperparameters", {"batch_size": 8}),
    "large-batches": ("hyperparameters", {"batch_size": 128}),
    "half-precision": ("hyperparameters", {"precision": "bfloat16"}),
    **{name: ("hyperparameters", {"schedule": name}) for name in PACES if name != "cosine"},
    # every level of the other axes
    **{name: ("objective", name) for name in OBJECTIVES if name != "cross-entropy"},
    **{name: ("optimizer", name) for name in OPTIMIZERS},
    **{name: ("data", name) for name in DATA if name != "all"},
    **{
        name if name == "transfer" else f"{name}-pretraining": ("pretraining", name)
        for name in PRETRAINING
        if name != "none"
    },
}
"""Changes by name: the axis, and its new level.

For hyperparameters the values to set, for architectures the replacement of each. ``name:amount`` is a change, too,
where the level is a number or takes one: ``"dropout:0.5"``, ``"rotate:30"``; and ``"transfer:digits"``."""

REGULARIZERS = (
    *("dropout", "weight-decay", "l1", "batch-norm", "layer-norm", "self-normalization"),
    *("early-stopping", "clipping", "ema", "swa", "snapshot"),
    *("label-smoothing", "fgsm", "sam"),
    *("augmented", "mixup", "cutmix", "noise", "jitter", "specaugment", "drop"),
)
"""Changes that are meant to help generalization."""


@dataclass(frozen=True)
class AblationPlan:
    """Recipes by change, the baseline first, and the reason for each change that is skipped."""

    recipes: Mapping[str, Recipe]
    skipped: Mapping[str, str]

    def replicates(self, count: int, seed: int) -> dict[str, list[Recipe]]:
        """Each recipe with `count` seeds from `seed` on, the same for every change."""
        return {name: replicate([recipe], range(seed, seed + count)) for name, recipe in self.recipes.items()}


def baseline_recipe(architecture: str, train: Dataset, optimizer: str = "adam", epochs: int | None = None) -> Recipe:
    """The architecture with its defaults, but without dropout.

    Parameters
    ----------
    architecture : a name in `ARCHITECTURES`, or ``hf:NAME``.
    train : the training set.
    optimizer : of nets.
    epochs : of nets; None for the architecture's default.
    """
    definition = find_architecture(architecture)
    has_fixed_optimizer = "own" in definition.optimizers
    minimal = Recipe(architecture, optimizer="own" if has_fixed_optimizer else optimizer)
    check([minimal], train)
    epoch_setting = {} if epochs is None else {"epochs": epochs}
    recipe = replace(
        minimal,
        hyperparameters=epoch_setting | {"dropout": 0.0}
        if "dropout" in definition.settable(minimal)
        else epoch_setting,
    )
    check([recipe], train)
    return recipe


def plan_ablation(changes: Iterable[str], baseline: Recipe, train: Dataset) -> AblationPlan:
    """The baseline recipe, and each of these changes applied to it alone.

    Parameters
    ----------
    changes : names in `CHANGES`, ``name:amount``, names of axes for all of their levels, or ``"all"``.
    train : the training set; changes that do not fit it are skipped, with the reason.

    Raises InputError for an unknown change, and if none of them can be applied.
    """
    recipes: dict[str, Recipe] = {BASELINE: baseline}
    skipped: dict[str, str] = {}
    for name in _expand(changes):
        try:
            recipe = apply_change(name, baseline)
            if _is_unchanged(recipe, baseline):
                raise InputError("the baseline recipe has it already")
            check([recipe], train)
            recipes[name] = recipe
        except PolycultureError as error:
            skipped[name] = str(error)
    if len(recipes) == 1:
        reasons = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in skipped.items())
        raise InputError(f"no change can be applied ({reasons or 'none was named'})", "one or more that fit")
    return AblationPlan(recipes, skipped)


def apply_change(change: str, baseline: Recipe) -> Recipe:
    """The baseline recipe with this change; InputError for an unknown one, or an architecture without a replacement.

    It may still be impossible to train.
    """
    axis, level = _find_change(change)
    _, colon, amount = change.partition(":")
    if isinstance(level, str):
        return Recipe.from_dict(baseline.to_dict() | {axis: level + colon + amount})
    if colon:
        level = {name: _number(change, value, amount) for name, value in level.items()}
    if axis == "architecture":
        if baseline.architecture not in level:
            raise InputError(f"{change!r} for {baseline.architecture!r}", " or ".join(map(repr, level)))
        return replace(baseline, architecture=level[baseline.architecture])
    return replace(baseline, hyperparameters={**baseline.hyperparameters, **level})


def describe_change(change: str, baseline: Recipe) -> tuple[str, str]:
    """The axis of a change, and the change in words such as ``"dropout 0 → 0.3"``."""
    recipe, (axis, level) = apply_change(change, baseline), _find_change(change)
    if isinstance(level, str) or axis == "architecture":
        return axis, f"{getattr(baseline, axis)} → {getattr(recipe, axis)}"
    values = {**find_architecture(baseline.architecture).settable(baseline), **baseline.hyperparameters}
    words = (f"{name} {_format(values.get(name))} → {_format(recipe.hyperparameters[name])}" for name in level)
    return axis, ", ".join(words)


def _find_change(name: str) -> tuple[str, str | Mapping[str, Any]]:
    """Axis and level; an amount after the name is ignored."""
    kind = name.partition(":")[0]
    if kind not in CHANGES:
        raise InputError(f"no change {name!r}", "", near(kind, [*CHANGES, *AXES, ALL]))
    return CHANGES[kind]


def _number(change: str, default: Any, amount: str) -> float:
    """The amount of a change that sets a number."""
    try:
        if not isinstance(default, str):
            return float(amount)
    except ValueError:
        pass
    raise InputError(
        f"the change {change!r} was given {amount!r}", "nothing" if isinstance(default, str) else "a number"
    )


def _expand(changes: Iterable[str]) -> list[str]:
    """Names of changes with axes and ``"all"`` expanded, without duplicates, in the order given."""
    names: dict[str, None] = {}
    for change in changes:
        expanded = [name for name, (axis, _) in CHANGES.items() if change in (axis, ALL)]
        if not expanded:
            _find_change(change)
        names |= dict.fromkeys(expanded or [change])
    return list(names)


def _is_unchanged(recipe: Recipe, baseline: Recipe) -> bool:
    """Whether a change only sets defaults."""
    values = {**find_architecture(baseline.architecture).settable(baseline), **baseline.hyperparameters}
    same_values = all(name in values and values[name] == value for name, value in recipe.hyperparameters.items())
    return same_values and replace(recipe, hyperparameters=baseline.hyperparameters) == baseline


def _format(value: Any) -> str:
    return "the default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
