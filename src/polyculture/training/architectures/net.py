"""How is a torch net fitted? From a builder of modules, a schedule, an objective and an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from polyculture.dataset import Dataset
from polyculture.errors import need
from polyculture.models.encoder import Encoder
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_net import FittedNet
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from .. import objectives, pretraining
from ..context import TrainingContext, TrainingHistory
from ..hyperparameters import options, select
from ..objectives import OBJECTIVES, member_of
from ..optimizers import OPTIMIZERS
from ..schedule import Schedule
from .architecture import Architecture


@dataclass(frozen=True)
class Net(Architecture):
    """A torch net: a function from `Form`, number of outputs and hyperparameters to a module, and its schedule.

    The module maps encoded inputs to n × outputs scores; where the form is ``"tags"`` to n × steps × outputs.

    Parameters
    ----------
    builder : the function, or its place in this folder, such as ``"mlp.selu_mlp"``, which is imported on first use
        since it loads torch.
    schedule : default schedule.
    reader : `Encoder`, or anything with `of(train)` and `load(folder)`.
    """

    builder: str | Callable[..., Any]
    schedule: Schedule = Schedule()
    reader: Any = Encoder
    packages: ClassVar[tuple[str, ...]] = ("torch", "safetensors")

    @cached_property
    def build(self) -> Callable[..., Any]:
        """The builder function."""
        if not isinstance(self.builder, str):
            return self.builder
        need("torch")
        module, _, name = self.builder.rpartition(".")
        function: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
        return function

    def settable(self, recipe: Recipe) -> Mapping[str, Any]:
        """The keyword-only parameters of objective, optimizer, pre-training and builder, and the schedule."""
        learning = {**options(OBJECTIVES[recipe.objective]), **options(OPTIMIZERS[recipe.optimizer])}
        return learning | pretraining.settable(recipe) | options(self.build) | asdict(self.schedule)

    @property
    def optimizers(self) -> tuple[str, ...]:
        """All optimizers."""
        return tuple(OPTIMIZERS)

    def check(self, recipe: Recipe) -> None:
        """Also refuse an impossible schedule, objective or pre-training."""
        super().check(recipe)
        pretraining.check(recipe)
        self.schedule_of(recipe)
        self.objective_of(recipe)

    def suits(self, recipe: Recipe, train: Dataset) -> None:
        """Refuse an objective that does not fit the labels or the inputs."""
        objectives.suits(recipe.objective, train)

    def fit(self, recipe: Recipe, train: Dataset, context: TrainingContext = TrainingContext()) -> Fitted:
        """Fit; starting weights and order of the instances depend on the recipe's seed only."""
        return self.fit_group(recipe, train, context)[member_of(recipe)]

    def fit_group(self, recipe: Recipe, train: Dataset, context: TrainingContext = TrainingContext()) -> list[Fitted]:
        """All nets of this recipe: the group that is trained jointly, or the only one."""
        from .. import loop

        self.suits(recipe, train)
        encoder = pretraining.encoder_of(recipe, train, context, self.reader)
        plan = self.plan(recipe, train, encoder, context)
        histories: list[TrainingHistory] = []

        def start() -> Any:
            net = self.module(recipe, encoder, train)
            histories.append(stack.enter_context(pretraining.pretrained(net, recipe, encoder, train, context)))
            return net

        with one_thread(), ExitStack() as stack, loop.seeded(derived_seed(recipe.seed, "weights")):
            nets = [start()]
            for member in range(1, plan.objective.members):
                with loop.seeded(derived_seed(recipe.seed, "weights", member)):
                    nets.append(start())
            fits = loop.fit_all(nets, plan)
        return [
            FittedNet(net, encoder, fit.curve, prior.cost + fit.cost)
            for net, prior, fit in zip(nets, histories, fits, strict=True)
        ]

    def load(self, recipe: Recipe, train: Dataset, folder: Path) -> Fitted:
        """The net with the weights in ``weights.safetensors`` and the encoder of ``encoder.json``."""
        from .. import loop

        encoder = self.reader.load(folder)
        with loop.seeded(0):
            net = self.module(recipe, encoder, train)
        return FittedNet.load(folder, net, encoder)

    def module(self, recipe: Recipe, encoder: Encoder, train: Dataset) -> Any:
        """The untrained module; its starting weights are drawn from torch's global stream."""
        return self.build(encoder.form, max(1, len(train.classes)), **self._settings_of(recipe, self.build))

    def plan(self, recipe: Recipe, train: Dataset, encoder: Encoder, context: TrainingContext) -> Any:
        """Everything that the training loop needs."""
        from .. import loop

        optimizer, objective = OPTIMIZERS[recipe.optimizer], self.objective_of(recipe)
        return loop.TrainingPlan(
            train,
            encoder,
            self.schedule_of(recipe),
            objective,
            (optimizer, self._settings_of(recipe, optimizer)),
            recipe.seed,
            context,
            partial(_fit_teacher, objective.teacher, train, recipe.seed, context) if objective.teacher else None,
        )

    def objective_of(self, recipe: Recipe) -> objectives.Objective:
        """The recipe's objective, with its hyperparameters; InputError for an impossible one."""
        build = OBJECTIVES[recipe.objective]
        objective = build(**self._settings_of(recipe, build))
        if objective.teacher:
            _teacher_architecture(objective.teacher)
        return objective

    def schedule_of(self, recipe: Recipe) -> Schedule:
        """The architecture's schedule with the changes of the recipe."""
        names = {f.name for f in fields(Schedule)}
        return Schedule(**asdict(self.schedule) | {k: v for k, v in self.settings(recipe).items() if k in names})

    def _settings_of(self, recipe: Recipe, build: Callable[..., Any]) -> dict[str, Any]:
        """The recipe's hyperparameters of one builder."""
        return select(recipe.hyperparameters, options(build))


def _teacher_architecture(name: str) -> Architecture:
    from . import find_architecture

    return find_architecture(name)


def _fit_teacher(name: str, train: Dataset, seed: int, context: TrainingContext) -> Fitted:
    """Another architecture with its defaults, fitted to the same training set with the same seed."""
    architecture = _teacher_architecture(name)
    return architecture.fit(Recipe(name, optimizer=architecture.optimizers[0], seed=seed), train, context)
