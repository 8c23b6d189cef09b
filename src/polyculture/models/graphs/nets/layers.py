"""Which layers does the exporter not know? Those that say what stands for them, and some of torch's own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from polyculture.models.sequences import present

GATES = {"RNN_TANH": ("RNN", (0,)), "LSTM": ("LSTM", (0, 3, 1, 2)), "GRU": ("GRU", (1, 0, 2))}
"""Operator of each kind of cell, and torch's gates in the order of ONNX: LSTM i o f c, GRU z r h."""
BIDIRECTIONAL = 2


def exportable(net: nn.Module) -> nn.Module:
    """A copy of the net whose layers can all be exported.

    A layer with a method `exported` is replaced by what that returns.
    """
    return _replaced(copy.deepcopy(net), {})


def _replaced(module: nn.Module, replaced: dict[nn.Module, nn.Module]) -> nn.Module:
    """What stands for a module, the same wherever it is used; its subclasses may compute something else."""
    if module not in replaced:
        replaced[module] = _exported(module)
        for name, child in module._modules.items() if replaced[module] is module else ():
            module._modules[name] = None if child is None else _replaced(child, replaced)
    return replaced[module]


def _exported(module: Any) -> nn.Module:
    if "exported" in vars(type(module)):
        stand_in: nn.Module = module.exported()
        return stand_in
    return REPLACEMENTS[type(module)](module) if type(module) in REPLACEMENTS else module


class RecurrentOperator(nn.Module):  # type: ignore[misc]
    """Bidirectional recurrent layers as ONNX operators, which know the length of each sequence."""

    def __init__(self, reader: Any) -> None:
        super().__init__()
        self.stem, self.form = reader.stem, reader.form
        self.operator, gates = GATES[reader.cell.mode]
        self.width, self.layers = reader.cell.hidden_size, reader.cell.num_layers
        for layer in range(self.layers):
            for name, stacked in _stacked_weights(reader.cell, layer, gates).items():
                self.register_buffer(f"{name}_{layer}", stacked)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded inputs → the state after every step (n × l × 2 width) and after the last one (n × 2 width)."""
        states, mask = self.stem(inputs), present(self.form, inputs)
        lengths = [] if mask is None else [mask.sum(dim=1).int()]
        undefined = states.isnan().flatten(1).any(dim=1, keepdim=True) if mask is None else None
        states = states.transpose(0, 1)
        for layer in range(self.layers):
            weights = [getattr(self, f"{name}_{layer}") for name in ("input", "recurrent", "bias")]
            states, final = self._layer([states, *weights, *lengths])
        states = states.transpose(0, 1)
        if undefined is None:
            return states, final
        # onnxruntime's gates make numbers of nan, and predictions that look like others
        return states.masked_fill(undefined[..., None], torch.nan), final.masked_fill(undefined, torch.nan)

    def _layer(self, inputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        steps, n = inputs[0].shape[:2]
        options: dict[str, Any] = {"hidden_size": self.width, "direction": "bidirectional"}
        if self.operator == "GRU":
            options["linear_before_reset"] = 1  # as torch's gates are computed
        shapes = [(steps, BIDIRECTIONAL, n, self.width), (BIDIRECTIONAL, n, self.width)]
        states, final, *_ = torch.onnx.ops.symbolic_multi_out(
            self.operator, inputs, options, dtypes=[torch.float32] * len(shapes), shapes=shapes
        )
        return states.permute(0, 2, 1, 3).flatten(2), final.transpose(0, 1).flatten(1)


def _stacked_weights(cell: Any, layer: int, gates: tuple[int, ...]) -> dict[str, Tensor]:
    """Weights of both directions of a layer in the layout of ONNX: 2 × gates · width × …"""

    def stacked(name: str) -> Tensor:
        directions = [getattr(cell, f"{name}_l{layer}{direction}").detach() for direction in ("", "_reverse")]
        return torch.stack([torch.cat([weight.chunk(len(gates))[gate] for gate in gates]) for weight in directions])

    return {
        "input": stacked("weight_ih"),
        "recurrent": stacked("weight_hh"),
        "bias": torch.cat([stacked("bias_ih"), stacked("bias_hh")], dim=1),
    }


def _identity(module: nn.Module) -> nn.Module:  # noqa: ARG001
    return nn.Identity()


def _without_dropout(attention: nn.MultiheadAttention) -> nn.Module:
    attention.dropout = 0.0
    return attention


DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
REPLACEMENTS: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.MultiheadAttention: _without_dropout,
    **dict.fromkeys(DROPOUTS, _identity),  # nets that differ only in it share a template
}
"""What stands for a layer of torch while it is exported."""
