"""How fast is a population explained, beside a loop over captum?

    python benchmarks/explaining.py [--repeats 5] [--models 36]

Prints rows for benchmarks/README.md. First five MLPs on digits by integrated gradients: all at once, each alone, and by
captum one after another with as many threads as torch likes; they take turns within each repetition, and of the ratios
the median is given. Next to the seconds stands how far the attributions are from those of 1,000 steps, in per cent of
their absolute sum, and the largest gap between the sum of attributions and the change of the score, in per cent of the
change. Then the 36 models of the default run on digits, 200 instances each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from polyculture.explanation import ExplainOptions, explain
from polyculture.explanation.stacked_gradients import StackedNets, integrate
from polyculture.models.fitted_net import FittedNet
from polyculture.models.threads import one_thread
from polyculture.population import Population
from polyculture.recipe import Recipe
from polyculture.training import Problem, default_design, load_problem, train

NETS, INSTANCES = 5, 200
REFERENCE = 1000
"""Steps of the numbers that all others are compared with, on the first 40 instances."""
FIRST = 40


class Task:
    """Five trained nets of one structure and what is explained."""

    def __init__(self, problem: Problem, architecture: str, width: int) -> None:
        settings = {"width": width, "epochs": 10}
        recipes = [Recipe(architecture, optimizer="adam", hyperparameters=settings, seed=k) for k in range(NETS)]
        population = train(recipes, problem)
        self.models: list[FittedNet] = [model for model in population.models.values() if isinstance(model, FittedNet)]
        test, mean = problem.split.test.array[:INSTANCES], problem.split.train.array.mean(axis=0, keepdims=True)
        self.inputs = torch.stack([torch.from_numpy(model.encoder(test)) for model in self.models])
        self.baselines = torch.stack([torch.from_numpy(model.encoder(mean)) for model in self.models])
        pairs = zip(self.models, self.inputs, strict=True)
        self.targets = torch.stack([model.net.eval()(rows).argmax(dim=1) for model, rows in pairs])

    def stacked(self) -> Tensor:
        """All nets at once."""
        with one_thread():
            return integrate(StackedNets(self.models), self.inputs, self.baselines, self.targets, "logit", 32)

    def alone(self) -> Tensor:
        """The same, one net after another."""
        with one_thread():
            rows = zip(self.models, self.inputs[:, None], self.baselines[:, None], self.targets[:, None], strict=True)
            return torch.cat([integrate(StackedNets([net]), *row, "logit", 32) for net, *row in rows])

    def captum(self, steps: int = 50, count: int = INSTANCES) -> Tensor:
        """One net after another by captum with its default number of steps."""
        values = []
        parts = self.inputs[:, :count], self.baselines, self.targets[:, :count]
        for model, rows, baseline, codes in zip(self.models, *parts, strict=True):

            def score(inputs: Tensor, model: FittedNet = model) -> Tensor:
                outputs = model.net(inputs)
                return (outputs - outputs.mean(dim=1, keepdim=True)) * (outputs.shape[1] / (outputs.shape[1] - 1))

            method = "gausslegendre" if steps == 50 else "riemann_middle"
            explainer = IntegratedGradients(score)
            values.append(
                explainer.attribute(
                    rows,
                    baseline,
                    target=codes,
                    n_steps=steps,
                    method=method,
                    internal_batch_size=None if count == INSTANCES else 8192,
                ).detach()
            )
        return torch.stack(values)

    def changes(self) -> Tensor:
        """Score of each instance less that of the baseline."""
        nets = StackedNets(self.models)
        start = nets.values(self.baselines.expand_as(self.inputs), self.targets, "logit")
        return nets.values(self.inputs, self.targets, "logit") - start


def rows_of_nets(problem: Problem, repeats: int) -> None:
    """Rows of five nets, by three ways."""
    for architecture, width in (("mlp", 64), ("mlp", 128), ("lenet", 16)):
        task = Task(problem, architecture, width)
        ways: dict[str, Callable[[], Tensor]] = {
            "polyculture, all nets at once": task.stacked,
            "polyculture, one net after another": task.alone,
            "captum `IntegratedGradients`, 50 steps, one net after another": task.captum,
        }
        reference, changes = task.captum(REFERENCE, FIRST), task.changes()
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        values = {name: way() for name, way in ways.items()}
        for _ in range(repeats):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - start)
        last = list(ways)[-1]
        for name, times in seconds.items():
            error = (values[name][:, :FIRST] - reference).abs().sum() / reference.abs().sum()
            gaps = (values[name].flatten(2).sum(dim=2) - changes).abs() / changes.abs().clamp(min=1)
            ratio = statistics.median(b / a for a, b in zip(times, seconds[last], strict=True))
            print(
                f"| 5 nets `{architecture}`, width {width}, digits, {INSTANCES} instances | {name} "
                f"| {statistics.median(times):.3f} | {100 * float(error):.2f} | {100 * float(gaps.max()):.2f} "
                f"| {'' if name == last else f'{ratio:.1f}×'} |",
                flush=True,
            )


def rows_of_run(problem: Problem, models: int) -> None:
    """Rows of the default run: all models by one method, and the nets alone."""
    population = train(default_design(problem, models=models), problem)
    nets = [name for name, model in population.models.items() if isinstance(model, FittedNet)]
    several = Population({name: population[name] for name in nets}, population.classes, population.factors.loc[nets])
    split = problem.split
    for group, method in ((population, "auto"), (several, "integrated-gradients"), (several, "smoothgrad")):
        start = time.perf_counter()
        options = ExplainOptions(instances=INSTANCES)
        explanations = explain(group, split.test, method, options, background=split.train)
        seconds = time.perf_counter() - start
        print(
            f"| {len(group)} models of the default run, {INSTANCES} instances | {explanations.method} | {seconds:.1f} |"
        )


def main() -> None:
    """Print all rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", type=int, default=36, help="of the default run; 0 leaves it out")
    choices = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, torch {torch.__version__}")
    problem = load_problem("digits")
    rows_of_nets(problem, choices.repeats)
    if choices.models:
        rows_of_run(problem, choices.models)


if __name__ == "__main__":
    main()
