"""Does each optimizer descend as its paper says? Three steps on a quadratic against formulas written in numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from polyculture.training.custom_optimizers import Sam, orthogonal
from polyculture.training.optimizers import OPTIMIZERS

CURVES = np.array([[1.0, 4.0, 0.5], [2.0, 0.25, 3.0]])
START = np.array([[1.0, -2.0, 0.5], [-1.5, 0.7, 2.0]])
RATE, DECAY = 0.05, 0.1

Path = Iterator[np.ndarray]
"""Weights after each step, from weights, a function to their gradient, rate and decay."""


def slope(w: np.ndarray) -> np.ndarray:
    """Gradient of ½ Σ curve · weight²."""
    return CURVES * w


def sgd(w: np.ndarray, rate: float, decay: float, heavy: float = 0.9, ahead: bool = True) -> Path:
    """Momentum as torch defines it: the rate stands outside."""
    v = np.zeros_like(w)
    while True:
        g = slope(w) + decay * w
        v = heavy * v + g
        w = w - rate * (g + heavy * v if ahead else v)
        yield w


def plain_sgd(w: np.ndarray, rate: float, decay: float) -> Path:
    return sgd(w, rate, decay, heavy=0.0)


def momentum(w: np.ndarray, rate: float, decay: float) -> Path:
    return sgd(w, rate, decay, ahead=False)


def adam(w: np.ndarray, rate: float, decay: float) -> Path:
    m, v, t = np.zeros_like(w), np.zeros_like(w), 0
    while True:
        g, t = slope(w), t + 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w * (1 - rate * decay) - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        yield w


def nadam(w: np.ndarray, rate: float, decay: float) -> Path:
    m, v, t, product = np.zeros_like(w), np.zeros_like(w), 0, 1.0
    while True:
        g, t = slope(w), t + 1
        now, then = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * k)) for k in (t, t + 1))
        product *= now
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        ahead = then * m / (1 - product * then) + (1 - now) * g / (1 - product)
        w = w * (1 - rate * decay) - rate * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        yield w


def adagrad(w: np.ndarray, rate: float, decay: float) -> Path:
    total = np.zeros_like(w)
    while True:
        g = slope(w) + decay * w
        total = total + g**2
        w = w - rate * g / (np.sqrt(total) + 1e-10)
        yield w


def rmsprop(w: np.ndarray, rate: float, decay: float) -> Path:
    v = np.zeros_like(w)
    while True:
        g = slope(w) + decay * w
        v = 0.99 * v + 0.01 * g**2
        w = w - rate * g / (np.sqrt(v) + 1e-8)
        yield w


def adafactor(w: np.ndarray, rate: float, decay: float) -> Path:
    """Algorithm 4 of Shazeer and Stern 2018 without relative steps' own schedule: rate is at most 1 / √t."""
    rows, columns, t = np.zeros((2, 1)), np.zeros((1, 3)), 0
    while True:
        g, t = slope(w), t + 1
        keep, step = 1 - t**-0.8, max(1e-3, math.sqrt((w**2).mean())) * min(rate, 1 / math.sqrt(t))
        rows = keep * rows + (1 - keep) * (g**2).mean(1, keepdims=True)
        columns = keep * columns + (1 - keep) * (g**2).mean(0, keepdims=True)
        move = g / np.sqrt(rows * columns / rows.mean())
        w = w * (1 - rate * decay) - step * move / max(1.0, math.sqrt((move**2).mean()))
        yield w


def lion(w: np.ndarray, rate: float, decay: float) -> Path:
    m = np.zeros_like(w)
    while True:
        g = slope(w)
        w, m = w - rate * (np.sign(0.9 * m + 0.1 * g) + decay * w), 0.99 * m + 0.01 * g
        yield w


def muon(w: np.ndarray, rate: float, decay: float) -> Path:
    m = np.zeros_like(w)
    while True:
        g = slope(w)
        m = 0.95 * m + 0.05 * g
        x = 0.05 * g + 0.95 * m
        x = x / np.linalg.norm(x)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        w = w * (1 - rate * decay) - rate * x
        yield w


def sam(w: np.ndarray, rate: float, decay: float) -> Path:
    v = np.zeros_like(w)
    while True:
        g = slope(w)
        g = slope(w + 0.05 * g / np.linalg.norm(g)) + decay * w
        v = 0.9 * v + g
        w = w - rate * (g + 0.9 * v)
        yield w


FORMULAS: dict[str, Callable[[np.ndarray, float, float], Path]] = {
    "sgd": sgd,
    "plain-sgd": plain_sgd,
    "momentum": momentum,
    "adam": adam,
    "adamw": adam,
    "nadam": nadam,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adafactor": adafactor,
    "lion": lion,
    "muon": muon,
    "sam": sam,
}


def loss_of(weight: torch.Tensor, curves: torch.Tensor, optimizer: Any) -> Callable[[], torch.Tensor]:
    """What an optimizer asks for: the loss, its gradient left in the weight."""

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (curves * weight**2).sum() / 2
        loss.backward()
        return loss.detach()

    return closure


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_three_steps_on_a_quadratic_are_those_of_the_formula(name: str, decay: float) -> None:
    weight = torch.tensor(START, requires_grad=True)
    optimizer = OPTIMIZERS[name]([weight], learning_rate=RATE, weight_decay=decay)
    closure = loss_of(weight, torch.tensor(CURVES), optimizer)
    path, before = FORMULAS[name](START, RATE, decay), START
    for _ in range(3):
        loss, expected = optimizer.step(closure), next(path)
        assert loss.item() == pytest.approx((CURVES * before**2).sum() / 2)
        np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-7, atol=1e-12)
        before = expected


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_down_a_quadratic_at_its_own_rate(name: str) -> None:
    weight = torch.tensor(START, requires_grad=True)
    optimizer = OPTIMIZERS[name]([weight], learning_rate=0.05)
    closure = loss_of(weight, torch.tensor(CURVES), optimizer)
    first = optimizer.step(closure)
    for _ in range(300):
        last = optimizer.step(closure)
    assert last < first / 5


def test_some_weight_decay_is_what_makes_adamw_another_level_than_adam() -> None:
    decays = {n: OPTIMIZERS[n]([torch.zeros(1)]).param_groups[0]["weight_decay"] for n in ("adam", "adamw")}
    assert decays == {"adam": 0.0, "adamw": 0.05}


def test_muon_is_that_of_torch_but_for_its_half_precision() -> None:
    own, theirs = (torch.tensor(START, dtype=torch.float32, requires_grad=True) for _ in range(2))
    curves = torch.tensor(CURVES, dtype=torch.float32)
    muon_of_torch = pytest.importorskip("torch.optim", reason="torch").__dict__.get("Muon")
    if muon_of_torch is None:
        pytest.skip("this torch has no Muon")
    optimizer = OPTIMIZERS["muon"]([own], learning_rate=RATE)
    other = muon_of_torch([theirs], lr=RATE, weight_decay=0.0)
    for _ in range(3):
        optimizer.step(loss_of(own, curves, optimizer))
        other.step(loss_of(theirs, curves, other))
    torch.testing.assert_close(own, theirs, atol=0.01, rtol=0)


def test_muon_moves_kernels_as_matrices_and_biases_as_adam_at_a_fifth_of_the_rate() -> None:
    kernel, bias = torch.ones(4, 3, 2, 2, requires_grad=True), torch.zeros(4, requires_grad=True)
    optimizer = OPTIMIZERS["muon"]([kernel, bias], learning_rate=RATE)
    kernel.grad, bias.grad = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)), torch.full((4,), 3.0)
    optimizer.step(lambda: torch.zeros(()))
    torch.testing.assert_close(bias.detach(), torch.full((4,), -RATE / 5))
    move = (1 - kernel.detach()).flatten(1) / RATE
    sizes = torch.linalg.svdvals(move)
    assert (sizes > 0.6).all()
    assert (sizes < 1.3).all()


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (2, 5, 5)])
def test_an_orthogonalized_matrix_keeps_its_directions_and_evens_its_stretches(shape: tuple[int, ...]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = orthogonal(matrix)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    stretches = left.mT @ found @ right.mT
    evened = stretches.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(stretches, torch.diag_embed(evened), atol=1e-9, rtol=0)
    assert ((evened > 0.6) & (evened < 1.3)).all()


def test_sam_looks_for_the_gradient_at_distance_rho_and_comes_back() -> None:
    weight, other = (torch.tensor(START * scale, requires_grad=True) for scale in (1.0, 3.0))
    seen: list[torch.Tensor] = []

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        seen.append(torch.cat([weight.detach().flatten(), other.detach().flatten()]))
        loss = (weight**2).sum() + (other**2).sum()
        loss.backward()
        return loss.detach()

    optimizer = OPTIMIZERS["sam"]([weight, other], learning_rate=1e-12, rho=0.3)
    assert isinstance(optimizer, Sam)
    assert optimizer.passes == 2
    optimizer.step(closure)
    assert len(seen) == 2
    assert (seen[1] - seen[0]).norm().item() == pytest.approx(0.3)
    np.testing.assert_allclose(weight.detach().numpy(), START, atol=1e-9)


def test_weights_without_a_gradient_stay_where_they_are() -> None:
    for name in ("lion", "muon", "sam"):
        weight, idle = torch.tensor(START, requires_grad=True), torch.ones(2, 2, requires_grad=True)
        optimizer = OPTIMIZERS[name]([weight, idle], learning_rate=RATE)
        optimizer.step(loss_of(weight, torch.tensor(CURVES), optimizer))
        assert torch.equal(idle, torch.ones(2, 2))
