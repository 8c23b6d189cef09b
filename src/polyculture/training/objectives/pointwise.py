"""How far are scores from the truth? Losses of one instance at a time."""

from __future__ import annotations

from typing import Any

from polyculture.dataset import Task
from polyculture.errors import InputError

from .objective import CLASSES, Objective, shares

ANY: tuple[Task, ...] = (*CLASSES, "regression")


def log_loss(scores: Any, targets: Any) -> Any:
    """Cross-entropy of each instance: the negative log-probability of its class, or its mean over shares."""
    log_probabilities = scores.log_softmax(-1)
    if targets.is_floating_point():
        return -(targets * log_probabilities).sum(-1)
    return -log_probabilities.gather(-1, targets.clamp(min=0)[..., None])[..., 0]


def cross_entropy() -> Objective:
    """Negative log-probability of the true class."""
    return Objective(log_loss, likelihood=True)


def label_smoothing(*, smoothing: float = 0.1) -> Objective:
    """Cross-entropy where `smoothing` of each label is spread evenly over all classes (Szegedy et al. 2016, § 7)."""
    check_range("smoothing", smoothing, 0, 1)

    def loss(scores: Any, targets: Any) -> Any:
        uniform = -scores.log_softmax(-1).mean(-1)
        return (1 - smoothing) * log_loss(scores, targets) + smoothing * uniform

    return Objective(loss)


def focal(*, gamma: float = 2.0) -> Objective:
    """Cross-entropy times (1 − p)^γ of the true class, so that easy instances count less (Lin et al. 2017)."""
    check_range("gamma", gamma, 0)

    def loss(scores: Any, targets: Any) -> Any:
        log_probabilities = scores.log_softmax(-1)
        weight = (-log_probabilities.expm1()).clamp(min=1e-6) ** gamma
        return -(shares(scores, targets) * weight * log_probabilities).sum(-1)

    return Objective(loss)


def binary() -> Objective:
    """Each class against the rest: the sum over classes of binary cross-entropies; one score is enough for two classes.

    The softmax of these scores is each class's probability given that one of the classes is true.
    """

    def loss(scores: Any, targets: Any) -> Any:
        from torch.nn.functional import binary_cross_entropy_with_logits

        single = scores.shape[-1] == 1 and not targets.is_floating_point()
        labels = targets[..., None].to(scores.dtype) if single else shares(scores, targets)
        return binary_cross_entropy_with_logits(scores, labels, reduction="none").sum(-1)

    return Objective(loss)


def squared() -> Objective:
    """Squared error: of the number, or of the probabilities of the classes summed over them (Brier 1950)."""

    def loss(scores: Any, targets: Any) -> Any:
        return squares(scores, targets).sum(-1)

    return Objective(loss, ANY)


def squares(scores: Any, targets: Any) -> Any:
    """Squared error of each number, or of the probability of each class."""
    return (estimates(scores) - (targets if scores.shape[-1] == 1 else shares(scores, targets))) ** 2


def estimates(scores: Any) -> Any:
    """Estimates from scores: probabilities, or the number where there is one score."""
    return scores if scores.shape[-1] == 1 else scores.softmax(-1)


def huber(*, delta: float = 1.0) -> Objective:
    """Squared error up to `delta` standard deviations of the labels, and linear beyond (Huber 1964)."""
    check_range("delta", delta, 1e-9)

    def loss(scores: Any, targets: Any) -> Any:
        from torch.nn.functional import huber_loss

        return huber_loss(scores, targets, reduction="none", delta=delta)[..., 0]

    return Objective(loss, ("regression",))


def distillation(*, teacher: str = "forest", temperature: float = 2.0, mix: float = 0.5) -> Objective:
    """Cross-entropy of the labels; for `mix` of it the divergence from a teacher's probabilities (Hinton et al. 2015).

    The teacher is another architecture, fitted with its defaults to the same training set with the same seed. Its
    log-probabilities and the net's scores are divided by `temperature`, and the divergence is multiplied by its square.
    """
    check_range("temperature", temperature, 1e-9)
    check_range("mix", mix, 0, 1)

    def loss(scores: Any, targets: Any) -> Any:
        labels, advice = targets.chunk(2, -1)
        if scores.shape[-1] == 1:  # numbers
            return ((1 - mix) * (scores - labels) ** 2 + mix * (scores - advice) ** 2)[..., 0]
        softened = (advice.clamp(min=1e-7).log() / temperature).log_softmax(-1)
        prediction = (scores / temperature).log_softmax(-1)
        divergence = (softened.exp() * (softened - prediction)).sum(-1)
        return (1 - mix) * log_loss(scores, labels) + mix * temperature**2 * divergence

    return Objective(loss, teacher=teacher)


def check_range(name: str, value: float | int, low: float | int, high: float | int = float("inf")) -> None:
    """Refuse an option outside its range."""
    if not low <= value <= high:
        expected = f"{low} … {high}" if high < float("inf") else f"{low} or more"
        raise InputError(f"{name} is {value}", expected)
