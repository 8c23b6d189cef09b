"""How much arithmetic does learning take? Products of matrices and convolutions, forward and backward, counted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Counter(TorchDispatchMode):  # type: ignore[misc]
    """Adds up the floating-point operations that run inside; torch's own counter would load its compiler first."""

    def __init__(self) -> None:
        super().__init__()
        self.total, self.calls = 0, 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count it."""
        out = func(*args, **(kwargs or {}))
        self.calls += 1
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def of_instance(net: nn.Module, loss_of: Callable[[Any, Tensor, Tensor], Tensor], two: tuple[Tensor, Tensor]) -> float:
    """Floating-point operations of forward and backward pass per instance, counted on these instances; nan if none are.

    The net stays as it is: a copy in double precision is asked, as nothing there is fused past counting.
    """
    inputs, targets = (given.cpu().double() if given.is_floating_point() else given.cpu() for given in two)
    try:
        with torch.random.fork_rng(devices=[]), Counter() as counter:
            loss_of(copy.deepcopy(net).cpu().double().eval(), inputs, targets).backward()
    except (RuntimeError, NotImplementedError, TypeError, ValueError):  # a net that insists on single precision
        return float("nan")
    return counter.total / len(inputs) or float("nan")
