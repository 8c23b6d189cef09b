"""How is a chain of tags added up in a graph? By loops over the steps; traced, each step would be nodes of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir
import torch
from onnx import parser
from torch import Tensor, nn

DOMAIN = "polyculture"
_FORWARD = """
ForwardSums (start, step, tokens, present) => (sums) {
  last, same, sums = Scan <num_scan_inputs = 2, body = extension
    (float[N, C] before, float[C, C] change, float[N, C] token, bool[N, 1] here)
    => (float[N, C] after, float[C, C] unchanged, float[N, C] result) {
      one = Constant <value = int64[1] {1}> ()
      two = Constant <value = int64[1] {2}> ()
      column = Unsqueeze (before, two)
      paths = Add (column, change)
      total = ReduceLogSumExp <keepdims = 0> (paths, one)
      extended = Add (total, token)
      after = Where (here, extended, before)
      unchanged = Identity (change)
      result = Identity (after)
    }> (start, step, tokens, present)
}"""
_BACKWARD = """
BackwardSums (end, step, tokens, present) => (sums) {
  first, same, constant, sums = Scan <num_scan_inputs = 2, scan_input_directions = [1, 1], scan_output_directions = [1],
    body = extension
    (float[N, C] after, float[C, C] change, float[N, C] final, float[N, C] token, bool[N, 1] here)
    => (float[N, C] before, float[C, C] unchanged, float[N, C] kept, float[N, C] result) {
      one = Constant <value = int64[1] {1}> ()
      two = Constant <value = int64[1] {2}> ()
      scores = Add (token, after)
      row = Unsqueeze (scores, one)
      paths = Add (change, row)
      total = ReduceLogSumExp <keepdims = 0> (paths, two)
      before = Where (here, total, final)
      unchanged = Identity (change)
      kept = Identity (final)
      result = Identity (before)
    }> (end, step, end, tokens, present)
}"""
_ORIGINS = """
Origins (start, step, stay, tokens, present) => (last, origins) {
  last, same, constant, origins = Scan <num_scan_inputs = 2, body = extension
    (float[N, C] before, float[C, C] change, int64[C] still, float[N, C] token, bool[N, 1] here)
    => (float[N, C] after, float[C, C] unchanged, int64[C] kept, int64[N, C] result) {
      one = Constant <value = int64[1] {1}> ()
      two = Constant <value = int64[1] {2}> ()
      column = Unsqueeze (before, two)
      paths = Add (column, change)
      best = ReduceMax <keepdims = 0> (paths, one)
      origin = ArgMax <axis = 1, keepdims = 0> (paths)
      extended = Add (best, token)
      after = Where (here, extended, before)
      unchanged = Identity (change)
      kept = Identity (still)
      result = Where (here, origin, still)
    }> (start, step, stay, tokens, present)
}"""
_PATH = """
Path (final, origins) => (tags) {
  first, tags = Scan <num_scan_inputs = 1, scan_input_directions = [1], scan_output_directions = [1], body = step
    (int64[N, 1] after, int64[N, C] origin) => (int64[N, 1] before, int64[N, 1] result) {
      before = GatherElements <axis = 1> (origin, after)
      result = Identity (before)
    }> (final, origins)
}"""


class ScannedChain(nn.Module):  # type: ignore[misc]
    """A linear chain whose sums and best sequences are the functions that `add_loops` defines."""

    def __init__(self, chain: Any) -> None:
        super().__init__()
        self.start, self.step, self.end = chain.start, chain.step, chain.end

    def marginals(self, scores: Tensor, mask: Tensor) -> Tensor:
        """As `LinearChain.marginals`."""
        end, steps, start = self.end.expand(scores.shape[0], -1), _next_steps(scores, mask), self.start + scores[:, 0]
        (later,) = _call("ForwardSums", [start, self.step, *steps], [(torch.float32, steps[0].shape)])
        (backward,) = _call("BackwardSums", [end, self.step, *steps], [(torch.float32, steps[0].shape)])
        forward = torch.cat([start[None], later[:-1]])
        return (forward + backward).softmax(dim=2).transpose(0, 1)

    def best(self, scores: Tensor, mask: Tensor) -> Tensor:
        """As `LinearChain.best`, but what it has at padding means nothing."""
        stay, steps = torch.arange(scores.shape[2]), _next_steps(scores, mask)
        shapes = [(torch.float32, scores[:, 0].shape), (torch.int64, steps[0].shape)]
        total, origins = _call("Origins", [self.start + scores[:, 0], self.step, stay, *steps], shapes)
        final = (total + self.end).argmax(dim=1, keepdim=True)
        (path,) = _call("Path", [final, origins], [(torch.int64, steps[1].shape)])
        return path[..., 0].transpose(0, 1)


def add_loops(model: Any, opset: int) -> None:
    """Define the functions that a graph with a chain of tags calls."""
    if any(node.domain == DOMAIN for node in model.graph):
        for text in (_FORWARD, _BACKWARD, _ORIGINS, _PATH):
            header = f'<domain: "{DOMAIN}", opset_import: ["": {opset}]>'
            function = onnx_ir.from_proto(parser.parse_function(header + text))
            model.functions[function.identifier()] = function


def _next_steps(scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (l × n × c) and presence (l × n × 1) of the token after each; an absent one is after the last."""
    tokens, present = nn.functional.pad(scores, (0, 0, 0, 1))[:, 1:], nn.functional.pad(mask, (0, 1))[:, 1:]
    return tokens.transpose(0, 1), present.transpose(0, 1)[..., None]


def _call(name: str, inputs: Sequence[Tensor], outputs: Sequence[tuple[torch.dtype, Any]]) -> Sequence[Tensor]:
    dtypes, shapes = zip(*outputs, strict=True)
    results: Sequence[Tensor] = torch.onnx.ops.symbolic_multi_out(
        f"{DOMAIN}::{name}", inputs, dtypes=dtypes, shapes=shapes, version=1
    )
    return results
