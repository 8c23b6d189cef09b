"""How much arithmetic does training take? Products of matrices and convolutions, forward and backward, counted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: torch.ops.aten._scaled_dot_product_flash_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        torch.ops.aten._scaled_dot_product_flash_attention_backward
    ),
}
"""Operations that torch has no formula for, with the ones on a GPU that compute the same and begin with the same
arguments."""


class FlopCounter(TorchDispatchMode):  # type: ignore[misc]
    """Sum of the floating-point operations that run inside; torch's own counter would load its compiler."""

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
        packet = func._overloadpacket
        formula = flop_registry.get(ATTENTION.get(packet, packet))
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def of_instance(
    net: nn.Module, loss_of: Callable[[Any, Tensor, Tensor], Tensor], batch: tuple[Tensor, Tensor]
) -> float:
    """Floating-point operations of forward and backward pass per instance, counted on a batch; nan if none are.

    A copy in double precision is used, in which no operation is fused.
    """
    inputs, targets = (tensor.cpu().double() if tensor.is_floating_point() else tensor.cpu() for tensor in batch)
    try:
        with torch.random.fork_rng(devices=[]), FlopCounter() as counter:
            loss_of(copy.deepcopy(net).cpu().double().eval(), inputs, targets).backward()
    except (RuntimeError, NotImplementedError, TypeError, ValueError):  # a net that needs single precision
        return float("nan")
    return counter.total / len(inputs) or float("nan")
