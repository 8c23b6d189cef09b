"""What can be changed about a net, one thing at a time? Levers: each departs from a plain recipe on one axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from polyculture.dataset import Dataset
from polyculture.errors import InputError, PolycultureError, near
from polyculture.preparation.transforms import TRANSFORMS as DATA
from polyculture.recipe import AXES, Recipe, replicate
from polyculture.training.architectures import find_architecture
from polyculture.training.fit import check
from polyculture.training.objectives import OBJECTIVES
from polyculture.training.optimizers import OPTIMIZERS
from polyculture.training.pretraining import PRETRAINING
from polyculture.training.schedule import PACES

PLAIN = "plain"
"""What the recipe is called that no lever is pulled on."""
ALL = "all"

LEVERS: dict[str, tuple[str, str | Mapping[str, Any]]] = {
    # what holds weights back
    "dropout": ("hyperparameters", {"dropout": 0.3}),
    "weight-decay": ("hyperparameters", {"weight_decay": 0.5}),
    "l1": ("hyperparameters", {"l1": 1e-4}),
    "batch-norm": ("hyperparameters", {"normalization": "batch"}),
    "layer-norm": ("hyperparameters", {"normalization": "layer"}),
    "self-normalization": ("architecture", {"mlp": "selu-mlp"}),
    # how long and how evenly it learns
    "early-stopping": ("hyperparameters", {"patience": 3}),
    "clipping": ("hyperparameters", {"clip": 1.0}),
    "ema": ("hyperparameters", {"averaging": "ema"}),
    "swa": ("hyperparameters", {"averaging": "swa"}),
    "snapshot": ("hyperparameters", {"averaging": "snapshot"}),
    "small-batches": ("hyperparameters", {"batch_size": 8}),
    "large-batches": ("hyperparameters", {"batch_size": 128}),
    "half-precision": ("hyperparameters", {"precision": "bfloat16"}),
    **{name: ("hyperparameters", {"schedule": name}) for name in PACES if name != "cosine"},
    # the other axes, every level that there is
    **{name: ("objective", name) for name in OBJECTIVES if name != "cross-entropy"},
    **{name: ("optimizer", name) for name in OPTIMIZERS},
    **{name: ("data", name) for name in DATA if name != "all"},
    **{
        name if name == "transfer" else f"{name}-pretraining": ("pretraining", name)
        for name in PRETRAINING
        if name != "none"
    },
}
"""Lever by name: its axis, and the level that it puts there.

Of hyperparameters the values that it sets; of architectures what stands in for what. ``name:amount`` is a lever, too,
where the level is a number or takes one: ``"dropout:0.5"``, ``"rotate:30"``; and ``"transfer:digits"``."""

REGULARIZERS = (
    *("dropout", "weight-decay", "l1", "batch-norm", "layer-norm", "self-normalization"),
    *("early-stopping", "clipping", "ema", "swa", "snapshot"),
    *("label-smoothing", "fgsm", "sam"),
    *("augmented", "mixup", "cutmix", "noise", "jitter", "specaugment", "drop"),
)
"""Levers that are meant to help generalization."""


@dataclass(frozen=True)
class AblationPlan:
    """Recipes by lever, the plain one first, and of the levers that change nothing here or cannot be pulled why."""

    recipes: Mapping[str, Recipe]
    skipped: Mapping[str, str]

    def replicates(self, count: int, seed: int) -> dict[str, list[Recipe]]:
        """Each recipe with so many seeds, the same for every lever, from `seed` on."""
        return {name: replicate([recipe], range(seed, seed + count)) for name, recipe in self.recipes.items()}


def plain_recipe(architecture: str, train: Dataset, optimizer: str = "adam", epochs: int | None = None) -> Recipe:
    """The architecture with its defaults, but without dropout: what levers are pulled on.

    Parameters
    ----------
    architecture : a name in `ARCHITECTURES`, or ``hf:NAME``.
    train : what is to be learned.
    optimizer : of nets.
    epochs : of nets, and so of every lever; None for the architecture's own number.
    """
    learner = find_architecture(architecture)
    own = "own" in learner.optimizers
    bare = Recipe(architecture, optimizer="own" if own else optimizer)
    check([bare], train)
    told = {} if epochs is None else {"epochs": epochs}
    plain = replace(bare, hyperparameters=told | {"dropout": 0.0} if "dropout" in learner.settable(bare) else told)
    check([plain], train)
    return plain


def pull(levers: Iterable[str], plain: Recipe, train: Dataset) -> AblationPlan:
    """The plain recipe, and each of these levers pulled on it alone.

    Parameters
    ----------
    levers : names in `LEVERS`, ``name:amount``, names of axes for all of theirs, or ``"all"``.
    plain : what they depart from.
    train : what is to be learned; levers that do not fit it are skipped, with the reason.

    Raises InputError for an unknown lever, and if none of them can be pulled.
    """
    recipes: dict[str, Recipe] = {PLAIN: plain}
    skipped: dict[str, str] = {}
    for name in _spread(levers):
        try:
            found = pulled(name, plain)
            if _as_before(found, plain):
                raise InputError("the plain recipe is so already")
            check([found], train)
            recipes[name] = found
        except PolycultureError as error:
            skipped[name] = str(error)
    if len(recipes) == 1:
        told = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in skipped.items())
        raise InputError(f"no lever can be pulled ({told or 'none was named'})", "one or more that fit")
    return AblationPlan(recipes, skipped)


def pulled(lever: str, plain: Recipe) -> Recipe:
    """The plain recipe with this lever pulled; InputError for an unknown one, and where it has nothing to stand in for.

    The recipe may still be one that cannot be trained.
    """
    axis, level = _lever(lever)
    _, colon, amount = lever.partition(":")
    if isinstance(level, str):
        return Recipe.from_dict(plain.to_dict() | {axis: level + colon + amount})
    if colon:
        level = {name: _number(lever, value, amount) for name, value in level.items()}
    if axis == "architecture":
        if plain.architecture not in level:
            raise InputError(f"{lever!r} for {plain.architecture!r}", " or ".join(map(repr, level)))
        return replace(plain, architecture=level[plain.architecture])
    return replace(plain, hyperparameters={**plain.hyperparameters, **level})


def change_of(lever: str, plain: Recipe) -> tuple[str, str]:
    """The axis on which a lever departs from the plain recipe, and how, in words such as ``"dropout 0 → 0.3"``."""
    found, (axis, level) = pulled(lever, plain), _lever(lever)
    if isinstance(level, str) or axis == "architecture":
        return axis, f"{getattr(plain, axis)} → {getattr(found, axis)}"
    known = {**find_architecture(plain.architecture).settable(plain), **plain.hyperparameters}
    words = (f"{name} {_word(known.get(name))} → {_word(found.hyperparameters[name])}" for name in level)
    return axis, ", ".join(words)


def _lever(name: str) -> tuple[str, str | Mapping[str, Any]]:
    """Axis and level; an amount behind the name is not looked at."""
    kind = name.partition(":")[0]
    if kind not in LEVERS:
        raise InputError(f"no lever {name!r}", "", near(kind, [*LEVERS, *AXES, ALL]))
    return LEVERS[kind]


def _number(lever: str, usual: Any, amount: str) -> float:
    """The amount of a lever that sets a number."""
    try:
        if not isinstance(usual, str):
            return float(amount)
    except ValueError:
        pass
    raise InputError(f"the lever {lever!r} was given {amount!r}", "nothing" if isinstance(usual, str) else "a number")


def _spread(levers: Iterable[str]) -> list[str]:
    """Names of levers with axes and ``"all"`` written out, each once, in the order in which they are named."""
    names: dict[str, None] = {}
    for given in levers:
        several = [name for name, (axis, _) in LEVERS.items() if given in (axis, ALL)]
        if not several:
            _lever(given)
        names |= dict.fromkeys(several or [given])
    return list(names)


def _as_before(found: Recipe, plain: Recipe) -> bool:
    """Whether a lever sets only what is so by itself."""
    known = {**find_architecture(plain.architecture).settable(plain), **plain.hyperparameters}
    same = all(name in known and known[name] == value for name, value in found.hyperparameters.items())
    return same and replace(found, hyperparameters=plain.hyperparameters) == plain


def _word(value: Any) -> str:
    return "the usual one" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
