"""What is a net? A builder of torch modules and a schedule, fitted by one loop, kept in safetensors files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from .. import objectives, pretraining
from ..engine.process import one_thread
from ..objectives import OBJECTIVES, member_of
from ..optimizers import OPTIMIZERS
from ..pretraining import Started, encoder_of, pretrained
from ..schedule import Schedule
from .architecture import Architecture, FitCost, Fitted, TrainingContext, options


@dataclass(frozen=True)
class Net(Architecture):
    """A torch net: a function from `Form`, number of outputs and hyperparameters to a module, and its schedule.

    The module maps encoded inputs to n × outputs scores; where the form is ``"tags"`` to n × steps × outputs. What
    reads the inputs is an `Encoder` unless the net brings its own way: anything with `of(train)` and `load(folder)`.
    """

    build: Callable[..., Any]
    schedule: Schedule = Schedule()
    reader: Any = Encoder
    packages: ClassVar[tuple[str, ...]] = ("torch", "safetensors")

    def settable(self, recipe: Recipe) -> Mapping[str, Any]:
        """The keyword-only parameters of builder, objective, optimizer and pre-training, and the schedule."""
        others = {**options(OBJECTIVES[recipe.objective]), **options(OPTIMIZERS[recipe.optimizer])}
        return others | pretraining.settable(recipe) | options(self.build) | asdict(self.schedule)

    @property
    def optimizers(self) -> tuple[str, ...]:
        """All that there are."""
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

    def fit(self, recipe: Recipe, train: Dataset, setting: TrainingContext = TrainingContext()) -> Fitted:  # noqa: B008
        """Learn; starting weights and order of the instances depend on the recipe's seed only."""
        return self.fit_group(recipe, train, setting)[member_of(recipe)]

    def fit_group(self, recipe: Recipe, train: Dataset, setting: TrainingContext = TrainingContext()) -> list[Fitted]:  # noqa: B008
        """All nets that this recipe makes: those that learn together, or the only one."""
        from .. import loop

        self.suits(recipe, train)
        encoder = encoder_of(recipe, train, setting, self.reader)
        before: list[Started] = []
        lesson = self.lesson(recipe, train, encoder, setting)

        def made() -> Any:
            net = self.module(recipe, encoder, train)
            before.append(stack.enter_context(pretrained(net, recipe, encoder, train, setting)))
            return net

        with one_thread(), ExitStack() as stack, loop.seeded(derived_seed(recipe.seed, "weights")):
            nets = [made()]
            for member in range(1, lesson.objective.members):
                with loop.seeded(derived_seed(recipe.seed, "weights", member)):
                    nets.append(made())
            learned = loop.fit_all(nets, lesson)
        return [
            FittedNet(net, encoder, tuple(then.curve), first.effort + then.effort)
            for net, first, then in zip(nets, before, learned, strict=True)
        ]

    def load(self, recipe: Recipe, train: Dataset, folder: Path) -> Fitted:
        """The net with the weights in ``weights.safetensors``, reading as ``encoder.json`` says."""
        from safetensors.torch import load_model

        from .. import loop

        encoder = self.reader.load(folder)
        with loop.seeded(0):
            net = self.module(recipe, encoder, train)
        load_model(net, folder / "weights.safetensors")
        return FittedNet(net, encoder)

    def module(self, recipe: Recipe, encoder: Encoder, train: Dataset) -> Any:
        """The untrained module; its starting weights are drawn from torch's global stream."""
        own = options(self.build)
        chosen = {name: value for name, value in self.settings(recipe).items() if name in own}
        return self.build(encoder.form, max(1, len(train.classes)), **chosen)

    def lesson(self, recipe: Recipe, train: Dataset, encoder: Encoder, setting: TrainingContext) -> Any:
        """All that the loop needs to know."""
        from .. import loop

        chosen = self.settings(recipe)
        optimizer = {k: v for k, v in chosen.items() if k in options(OPTIMIZERS[recipe.optimizer])}
        return loop.TrainingPlan(
            train,
            encoder,
            self.schedule_of(recipe),
            self.objective_of(recipe),
            (OPTIMIZERS[recipe.optimizer], optimizer),
            recipe.seed,
            setting,
        )

    def objective_of(self, recipe: Recipe) -> objectives.Objective:
        """The recipe's objective, set as the recipe says."""
        build = OBJECTIVES[recipe.objective]
        own = options(build)
        return build(**{name: value for name, value in self.settings(recipe).items() if name in own})

    def schedule_of(self, recipe: Recipe) -> Schedule:
        """The architecture's schedule with what the recipe changes."""
        names = {f.name for f in fields(Schedule)}
        return Schedule(**asdict(self.schedule) | {k: v for k, v in self.settings(recipe).items() if k in names})


@dataclass(frozen=True, eq=False)
class FittedNet(Fitted):
    """A torch net that has learned, and how it reads."""

    net: Any
    encoder: Encoder
    curve: tuple[float, ...] = ()
    effort: FitCost = field(default_factory=FitCost)

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
        """Class probabilities of each input, or of each token; for regression the predicted numbers."""
        from .. import loop

        return loop.answers(self.net, self.encoder, inputs)

    @property
    def parameters(self) -> int:  # type: ignore[override]
        """How many weights there are."""
        return sum(p.numel() for p in self.net.parameters())

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors`` and ``encoder.json``."""
        from safetensors.torch import save_model

        save_model(self.net, str(folder / "weights.safetensors"))  # weights that layers share are written once
        self.encoder.save(folder)
