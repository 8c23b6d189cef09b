"""Which versions of ONNX are graphs of? One for all, so that graphs can be joined and every runtime reads them."""

from __future__ import annotations

from typing import Any

OPSET, ML_OPSET, IR = 18, 3, 9
"""Versions of the operators of ONNX, of its operators for classical learners, and of the file format, in a bundle."""


def unified(model: Any, prefix: str = "") -> Any:
    """The same model in the versions of the bundle, without inner functions; names with a prefix."""
    import onnx
    from onnx import compose, inliner, version_converter

    if model.functions:
        model = inliner.inline_local_functions(model)
    version = next((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), OPSET)
    if version != OPSET:
        model = version_converter.convert_version(model, OPSET)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]  # shapes that an exporter noted down may be of one batch only
    copy.ir_version = IR
    return compose.add_prefix(copy, prefix) if prefix else copy
