"""How does a message become a request, and an answer a message? With the checks that JSON goes through, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..answers import RequestAnswers
from ..protocol.requests import MOST_TENSORS, InferRequest, instances, requested_outputs
from ..protocol.responses import flat_parameters, parameters_of, selected_outputs
from ..protocol.tensors import DTYPES, array_of_bytes, bytes_of_array, checked_datatype, checked_shape
from ..refusals import excerpt, malformed

CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""By datatype the field of a message that has the values; FP16 and BF16 travel as raw bytes only."""


def read_message(message: Any) -> InferRequest:
    """The request in a ModelInferRequest."""
    entries, raw = message.inputs, message.raw_input_contents
    if not 0 < len(entries) <= MOST_TENSORS:
        raise malformed(f"the request has {len(entries):,} inputs", f"1 to {MOST_TENSORS:,}")
    if raw and len(raw) != len(entries):
        raise malformed(f"there are {len(raw):,} raw contents for {len(entries):,} inputs", "one for each, or none")
    tensors: dict[str, np.ndarray] = {}
    for position, entry in enumerate(entries):
        if entry.name in tensors:
            raise malformed(f"the input {excerpt(entry.name)} comes twice", "each name once")
        tensors[entry.name] = _array(entry, raw[position] if raw else None)
    outputs, _ = requested_outputs([{"name": output.name} for output in message.outputs], None)
    parameters = parameters_of_message(message.parameters)
    return InferRequest(tensors, instances(tensors), message.id, outputs, bool(raw), parameters, message.ByteSize())


def _array(entry: Any, content: bytes | None) -> np.ndarray:
    name, shape = entry.name, checked_shape(entry.name, list(entry.shape))
    datatype = checked_datatype(name, entry.datatype, raw=content is not None)
    if content is not None:
        if entry.HasField("contents") and entry.contents.ByteSize():
            raise malformed(f"the input {excerpt(name)} has contents and raw contents", "one of them")
        return array_of_bytes(name, datatype, shape, content)
    field = CONTENTS.get(datatype)
    if field is None:
        raise malformed(f"the input {excerpt(name)} has the datatype {datatype}", "raw_input_contents for it")
    values = getattr(entry.contents, field)
    count = int(np.prod(shape, dtype=object))
    if len(values) != count:
        wrong = f"{excerpt(name)} has {len(values):,} values in {field}"
        raise malformed(wrong, f"{count:,}, for its shape {list(shape)}")
    if datatype == "BYTES":
        array = np.empty(count, object)
        array[:] = list(values)
        return array.reshape(shape)
    try:
        return np.array(list(values), DTYPES[datatype]).reshape(shape)
    except OverflowError as error:
        raise malformed(f"the data of {excerpt(name)} have numbers beyond the range of {datatype}") from error


def parameters_of_message(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by name as plain values."""
    values = {}
    for name, parameter in parameters.items():
        field = parameter.WhichOneof("parameter_choice")
        values[name] = getattr(parameter, field) if field else None
    return values


def write_message(classes: Mapping[str, Any], name: str, request: InferRequest, answers: RequestAnswers) -> Any:
    """The ModelInferResponse to a request; outputs as raw bytes where the inputs were."""
    response = classes["ModelInferResponse"](model_name=name, model_version=answers.batch.manifest.version)
    response.id = request.id
    for key, value in flat_parameters(parameters_of(answers)).items():
        kind = "bool_param" if isinstance(value, bool) else "int64_param" if isinstance(value, int) else "string_param"
        setattr(response.parameters[key], kind, value)
    for output, datatype, array in selected_outputs(request, answers):
        entry = response.outputs.add(name=output, datatype=datatype, shape=array.shape)
        if request.raw:
            response.raw_output_contents.append(bytes_of_array(datatype, array))
        elif datatype == "BYTES":
            entry.contents.bytes_contents.extend(text.encode() for text in array.ravel().tolist())
        else:
            getattr(entry.contents, CONTENTS[datatype]).extend(array.ravel().tolist())
    return response
