"""Does the loop do what its schedule says: views, averages, early stops, clips, limits of time, counts of work?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polyculture import rng
from polyculture.dataset import Dataset
from polyculture.errors import InputError, TrainingError
from polyculture.models.encoder import Encoder
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem, flops, loop
from polyculture.training.context import TrainingContext
from polyculture.training.objectives import OBJECTIVES
from polyculture.training.optimizers import OPTIMIZERS
from polyculture.training.schedule import Schedule
from polyculture.training.weight_averaging import BestWeights, WeightAverage, refresh


def plan(train: Dataset, schedule: Schedule, objective: str = "cross-entropy", **more: Any) -> loop.TrainingPlan:
    """A lesson in plain gradient descent."""
    optimizer = OPTIMIZERS[more.pop("optimizer", "plain-sgd")], {}
    seed, told = more.pop("seed", 0), more.pop("told", {})
    return loop.TrainingPlan(
        train, Encoder.of(train), schedule, OBJECTIVES[objective](**told), optimizer, seed, TrainingContext(**more)
    )


def linear(features: int = 64, outputs: int = 10, seed: int = 0) -> nn.Sequential:
    """One layer of weights."""
    with loop.seeded(seed):
        return nn.Sequential(nn.Flatten(), nn.Linear(features, outputs))


def weights(net: nn.Module) -> Tensor:
    """All of them in one row."""
    return torch.cat([weight.detach().flatten() for weight in net.parameters()])


class Walk(nn.Module):
    """A weight that a test moves by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(2))

    def to_(self, place: float) -> Walk:
        with torch.no_grad():
            self.place.fill_(place)
        return self


def test_the_loop_is_plain_gradient_descent_over_shuffled_batches(small: Problem) -> None:
    train, net = small.split.train, linear()
    inputs = torch.from_numpy(train.array * 2 - 1).flatten(1).double()
    hot = torch.eye(10, dtype=torch.float64)[torch.from_numpy(train.labels)]
    order = torch.Generator().manual_seed(rng.derived_seed(3, "order"))
    w, b = (part.detach().double().clone() for part in (net[1].weight, net[1].bias))
    for _ in range(2):
        for rows in torch.randperm(64, generator=order).split(20):
            slope = (inputs[rows] @ w.T + b).softmax(1) - hot[rows]
            w, b = w - 0.3 * slope.T @ inputs[rows] / len(rows), b - 0.3 * slope.mean(0)
    schedule = Schedule(epochs=2, batch_size=20, learning_rate=0.3, schedule="constant")
    learned = loop.fit(net, plan(train, schedule, seed=3))
    torch.testing.assert_close(net[1].weight.double(), w, atol=1e-5, rtol=0)
    torch.testing.assert_close(net[1].bias.double(), b, atol=1e-5, rtol=0)
    assert (learned.cost.epochs, learned.cost.steps) == (2, 8)
    assert len(learned.curve) == 2


def test_a_view_is_drawn_anew_in_every_epoch_from_the_seed_of_the_recipe(small: Problem) -> None:
    seen: list[float] = []

    def view(train: Dataset, generator: np.random.Generator) -> tuple[np.ndarray, None]:
        seen.append(generator.random())
        return train.array * np.float32(seen[-1]), None

    curves = [
        loop.fit(linear(), plan(small.split.train, Schedule(epochs=3), seed=seed, view=view)).curve
        for seed in (1, 1, 2)
    ]
    assert seen[:3] == [rng.stream(1, "view", epoch).random() for epoch in (1, 2, 3)]
    assert seen[:3] == seen[3:6]
    assert curves[0] == curves[1] != curves[2]


def test_shares_from_a_view_are_what_is_learned(small: Problem) -> None:
    def all_alike(train: Dataset, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return train.array, np.full((len(train), 10), 0.1)

    net = linear()
    loop.fit(net, plan(small.split.train, Schedule(epochs=100, learning_rate=0.2), view=all_alike))
    encoded = torch.from_numpy(small.split.train.array * 2 - 1)
    assert net(encoded).softmax(1).sub(0.1).abs().max() < 0.05


def test_numbers_from_a_view_are_standardized_like_the_labels(sets: dict[str, Dataset]) -> None:
    train = sets["numbers"]

    def same(part: Dataset, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return part.array, part.labels[:, None]

    schedule = Schedule(epochs=2, learning_rate=0.01)
    nets = [linear(5, 1) for _ in range(2)]
    for net, view in zip(nets, (None, same), strict=True):
        loop.fit(net, plan(train, schedule, "squared", view=view))
    torch.testing.assert_close(weights(nets[0]), weights(nets[1]))


def test_frozen_weights_stay_and_the_others_learn(small: Problem) -> None:
    net = linear()
    net[1].bias.requires_grad_(False)
    before = [weight.detach().clone() for weight in net.parameters()]
    loop.fit(net, plan(small.split.train, Schedule(epochs=1, clip=1.0, l1=0.01), optimizer="muon"))
    assert not torch.equal(net[1].weight, before[0])
    assert torch.equal(net[1].bias, before[1])


def test_the_fitted_net_is_on_the_cpu_and_holds_no_gradients(small: Problem) -> None:
    net = linear()
    loop.fit(net, plan(small.split.train, Schedule(epochs=1)))
    assert all(weight.grad is None and weight.device.type == "cpu" for weight in net.parameters())


def test_one_instance_left_over_does_not_break_batch_normalization(small: Problem) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    learned = loop.fit(net, plan(small.split.train.take(np.arange(33)), Schedule(epochs=2, batch_size=32)))
    assert learned.cost.steps == 2


def test_l1_adds_the_sum_of_absolute_weights_and_shrinks_them(small: Problem) -> None:
    schedule = Schedule(epochs=1, batch_size=64, learning_rate=1e-9, l1=0.5)
    net = linear()
    penalty = 0.5 * weights(net).abs().sum().item()
    plain = loop.fit(linear(), plan(small.split.train, Schedule(epochs=1, batch_size=64, learning_rate=1e-9))).curve
    assert loop.fit(net, plan(small.split.train, schedule)).curve[0] == pytest.approx(plain[0] + penalty, rel=1e-5)
    sizes = []
    for l1 in (0.0, 0.05):
        net = linear()
        loop.fit(net, plan(small.split.train, Schedule(epochs=20, l1=l1, learning_rate=0.05)))
        sizes.append(weights(net).abs().sum().item())
    assert sizes[1] < sizes[0] / 2


def test_a_clipped_gradient_is_no_longer_than_asked(small: Problem) -> None:
    moves = []
    for clip in (0.0, 0.01, 1e6):
        net = linear()
        before = weights(net)
        schedule = Schedule(epochs=1, batch_size=64, learning_rate=0.5, schedule="constant", clip=clip)
        loop.fit(net, plan(small.split.train, schedule))
        moves.append((weights(net) - before).norm().item())
    assert moves[1] == pytest.approx(0.5 * 0.01, rel=1e-3)
    assert moves[0] == moves[2] > 2 * moves[1]


def test_learning_stops_when_the_held_out_loss_does_and_the_best_weights_are_kept(small: Problem) -> None:
    train = small.split.train
    wrong = np.random.default_rng(0).integers(0, 10, len(train))  # nothing to be learned: the held-out loss must rise
    hopeless = Dataset(train.array, wrong, train.classes, modality="image")
    schedule = Schedule(epochs=50, patience=4, learning_rate=0.3, schedule="constant")
    learned = loop.fit(stopped := linear(), plan(hopeless, schedule))
    best = len(learned.curve) - 4
    assert 1 <= best < 20
    assert learned.cost.epochs == len(learned.curve)
    exact = loop.fit(upto := linear(), plan(hopeless, Schedule(**vars(schedule) | {"epochs": best, "patience": 60})))
    torch.testing.assert_close(weights(stopped), weights(upto))
    assert learned.curve[:best] == exact.curve


def test_what_is_held_out_is_not_learned_from(small: Problem) -> None:
    train = small.split.train
    held = rng.stream(0, "held out").permutation(64)[:7]
    schedule = Schedule(epochs=2, patience=5)
    whole = loop.fit(linear(), plan(train, schedule)).curve
    other = train.array.copy()
    other[held] = 0
    changed = train.with_inputs(other)
    assert loop.fit(linear(), plan(changed, schedule)).curve == whole


def test_too_few_instances_cannot_be_held_out(small: Problem) -> None:
    with pytest.raises(InputError) as caught:
        loop.fit(linear(), plan(small.split.train.take(np.arange(1)), Schedule(patience=2)))
    assert str(caught.value) == "1 instance with patience 2; expected 2 or more to learn from."


def test_best_keeps_the_weights_of_the_lowest_loss() -> None:
    net, best = Walk(), BestWeights(2)
    stops = [best.update(net.to_(k), loss) for k, loss in enumerate([3.0, 1.0, 2.0, math.nan])]
    assert stops == [False, False, False, True]
    best.apply(net)
    assert net.place.tolist() == [1, 1]


def test_a_moving_average_is_its_formula() -> None:
    net, average = Walk(), WeightAverage(Schedule(averaging="ema"))
    kept = 1.0
    for step in range(1, 2001):
        average.update(net.to_(math.sin(step) + 1.5), step, 2000)
        keep = min(0.99, (1 + step) / (10 + step))
        kept = keep * (kept if step > 1 else math.sin(1) + 1.5) + (1 - keep) * (math.sin(step) + 1.5)
    average.apply(net, torch.zeros(1), 1)
    assert net.place[0].item() == pytest.approx(kept, rel=1e-5)


@pytest.mark.parametrize(
    ("averaging", "taken"),
    [("swa", [80, 90, 100]), ("snapshot", [75, 100]), ("none", [])],
)
def test_weights_are_averaged_at_the_ends_of_the_last_epochs_or_cycles(averaging: str, taken: list[int]) -> None:
    net, average = Walk(), WeightAverage(Schedule(epochs=10, averaging=averaging))
    for step in range(1, 101):
        average.update(net.to_(step), step, 100)
    average.apply(net, torch.zeros(1), 1)
    assert net.place[0].item() == pytest.approx(np.mean(taken) if taken else 100)


def test_refreshed_batch_normalization_knows_the_mean_and_variance_of_what_it_reads() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    with torch.no_grad():
        inputs = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
        refresh(net, inputs, 20)
        seen = net[0](inputs)
    torch.testing.assert_close(net[2].running_mean, seen.mean(0))
    within = torch.stack([part.var(0) for part in seen.split(20)]).mean(0)
    torch.testing.assert_close(net[2].running_var, within)
    assert net[2].momentum == 0.1
    assert net.training
    assert net[1].training


@pytest.mark.parametrize("told", [{"averaging": a} for a in ("ema", "swa", "snapshot")] + [{"schedule": "plateau"}])
def test_every_average_and_a_plateau_learn_64_digits(small: Problem, told: dict[str, Any]) -> None:
    train = small.split.train
    recipe = Recipe("mlp", optimizer="adam", hyperparameters=told | {"epochs": 60})
    fitted = ARCHITECTURES["mlp"].fit(recipe, train)
    assert (fitted(train.array).argmax(1) == train.labels).all()


def test_on_a_plateau_the_net_learns_more_slowly(small: Problem) -> None:
    curves = {}
    for name in ("warm-up", "plateau"):
        schedule = Schedule(epochs=12, learning_rate=5.0, schedule=name)
        curves[name] = loop.fit(linear(), plan(small.split.train, schedule)).curve
    assert curves["plateau"][:4] == curves["warm-up"][:4]
    assert curves["plateau"][-1] != curves["warm-up"][-1]


def test_half_precision_learns_nearly_the_same(small: Problem) -> None:
    curves = {}
    for precision in ("float32", "bfloat16"):
        net = linear()
        schedule = Schedule(epochs=3, precision=precision)
        curves[precision] = loop.fit(net, plan(small.split.train, schedule)).curve
        assert net[1].weight.dtype == torch.float32
    assert curves["bfloat16"] != curves["float32"]
    np.testing.assert_allclose(curves["bfloat16"], curves["float32"], rtol=0.02)


def test_a_fit_that_takes_too_long_says_where_it_was(small: Problem) -> None:
    with pytest.raises(TrainingError) as caught:
        loop.fit(linear(), plan(small.split.train, Schedule(epochs=7), seconds=0.0))
    assert str(caught.value) == ("not done after 0 s, in epoch 1 of 7; expected a fit within that time; lower epochs.")
    loop.fit(linear(), plan(small.split.train, Schedule(epochs=1), seconds=600.0))


def test_a_loss_that_is_no_number_ends_the_fit(small: Problem) -> None:
    train = small.split.train.with_inputs(np.full((64, 8, 8), np.inf, np.float32))
    with pytest.raises(TrainingError) as caught:
        loop.fit(linear(), plan(train, Schedule(epochs=2)))
    assert str(caught.value) == "the loss became nan in epoch 1; expected a finite loss; lower learning_rate."


def test_replayed_batches_leave_the_number_of_steps_as_it_is(small: Problem) -> None:
    learned = loop.fit(linear(), plan(small.split.train, Schedule(epochs=8), "free"))
    assert (learned.cost.epochs, learned.cost.steps, len(learned.curve)) == (8, 16, 2)


class Counted(nn.Module):
    """A net with a likelihood of its own and something else to make small."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.level.expand(len(inputs), 10)

    def nll(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return (self.level - 3) ** 2

    def extra_loss(self, inputs: Tensor) -> Tensor:
        return (self.level - 1) ** 2


def test_a_net_may_bring_its_own_likelihood_and_an_extra_loss(small: Problem) -> None:
    net = Counted()
    schedule = Schedule(epochs=40, learning_rate=0.1, schedule="constant")
    learned = loop.fit(net, plan(small.split.train, schedule))
    assert learned.curve[0] > 3
    assert net.level.item() == pytest.approx(2)
    assert math.isnan(learned.cost.flops)
    stopped = loop.fit(Counted(), plan(small.split.train, Schedule(epochs=9, patience=2)))
    assert len(stopped.curve) > 2


def test_a_net_with_its_own_likelihood_takes_no_other_objective(small: Problem) -> None:
    with pytest.raises(InputError) as caught:
        loop.fit(Counted(), plan(small.split.train, Schedule(), "focal"))
    said = "a net that has its own likelihood was given another objective; expected 'cross-entropy'."
    assert str(caught.value) == said
    group = plan(small.split.train, Schedule(), "negative-correlation", told={"members": 2})
    with pytest.raises(InputError) as caught:
        loop.fit_all([Counted(), Counted()], group)
    assert str(caught.value) == said


def test_nets_that_learn_together_share_what_it_took_and_add_their_extra_losses(small: Problem) -> None:
    class Leaning(nn.Sequential):
        def extra_loss(self, inputs: Tensor) -> Tensor:
            return torch.tensor(5.0)

    told = {"members": 2, "strength": 0.0}
    schedule = Schedule(epochs=1, batch_size=64, learning_rate=1e-9)
    plain = loop.fit(linear(), plan(small.split.train, schedule, "squared"))
    nets = [Leaning(*linear(seed=seed)) for seed in (0, 0)]
    both = loop.fit_all(nets, plan(small.split.train, schedule, "negative-correlation", told=told))
    for learned in both:
        assert learned.curve == pytest.approx([plain.curve[0] + 5])
        assert learned.cost.flops == plain.cost.flops


def test_the_two_products_of_attention_are_counted_on_a_processor_too() -> None:
    batch, heads, tokens, width = 2, 4, 50, 8
    inputs = torch.zeros(batch, heads, tokens, width, dtype=torch.float64, requires_grad=True)
    forward = 2 * (2 * batch * heads * tokens**2 * width)
    with flops.FlopCounter() as counter:
        outputs = torch.nn.functional.scaled_dot_product_attention(inputs, inputs, inputs)
    assert counter.total == forward
    with flops.FlopCounter() as counter:
        outputs.sum().backward()
    assert 2 * forward <= counter.total <= 2.5 * forward  # scores are computed again, or not


def test_operations_are_counted_as_products_forward_and_backward(small: Problem) -> None:
    learned = loop.fit(linear(), plan(small.split.train, Schedule(epochs=3)))
    assert learned.cost.flops == 3 * 64 * (2 * 64 * 10) * 2  # the inputs need no gradient
    twice = loop.fit(linear(), plan(small.split.train, Schedule(epochs=3), optimizer="sam"))
    assert twice.cost.flops == 2 * learned.cost.flops
    free = loop.fit(linear(), plan(small.split.train, Schedule(epochs=4), "free")).cost.flops
    assert free == 4 * 64 * (2 * 64 * 10) * 3  # they do here


@pytest.mark.parametrize(
    ("net", "shape", "expected"),
    [
        (nn.Conv2d(1, 16, 3, padding=1), (1, 8, 8), 2 * 8 * 8 * 9 * 16 * 2),
        (nn.LSTM(8, 48, batch_first=True), (8, 8), 2 * 4 * 48 * (8 * (8 * 2 + 48 * 3) - 48)),
        (nn.Flatten(), (3,), math.nan),
    ],
)
def test_convolutions_and_recurrent_layers_are_counted_and_stay_as_they_are(
    net: nn.Module, shape: tuple[int, ...], expected: float
) -> None:
    def loss_of(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        scores = net(inputs)
        return (scores[0] if isinstance(scores, tuple) else scores).sum()

    before, state = weights(net) if expected == expected else None, torch.random.get_rng_state()
    inputs = torch.ones(2, *shape, requires_grad=expected != expected)
    assert flops.of_instance(net, loss_of, (inputs, torch.zeros(2))) == pytest.approx(expected, nan_ok=True)
    assert before is None or torch.equal(weights(net), before)
    assert net.training
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_cannot_be_counted_is_nan() -> None:
    def single(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return net(inputs.float()).sum()  # double weights, single inputs

    assert math.isnan(flops.of_instance(nn.Linear(3, 2), single, (torch.ones(2, 3), torch.zeros(2))))
