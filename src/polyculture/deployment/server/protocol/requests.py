"""What does a client ask for? The body of an inference request, checked, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from ..refusals import RefusedRequestError, excerpt, malformed
from .tensors import array_of_bytes, array_of_json, checked_datatype, checked_shape

MOST_TENSORS = 10_000
"""Inputs of one request: columns of a table."""
MOST_OUTPUTS = 64
LARGE_JSON = 2**16
"""Bytes of JSON from which on its brackets are counted before it is read."""
MOST_BRACKETS = 500_000
"""Lists and objects in one request; each takes some hundred bytes of memory, whatever it holds."""
MOST_VALUES = 4_000_000
"""Values in the JSON of one request; more go as raw bytes."""


@dataclass(slots=True, eq=False)
class InferRequest:
    """What a client asks for.

    Parameters
    ----------
    tensors : by name; the first axis of each counts the instances.
    rows : number of instances.
    id : the client's own name of the request, which the response repeats; empty if there is none.
    outputs : by name of an output that is wanted, whether as raw bytes; None for the usual ones.
    raw : whether outputs go as raw bytes unless they say otherwise.
    parameters : of the request.
    size : its bytes.
    """

    tensors: Mapping[str, np.ndarray]
    rows: int
    id: str = ""
    outputs: Mapping[str, bool] | None = None
    raw: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    size: int = 0


def read_request(body: bytes, header_length: bytes | None = None) -> InferRequest:
    """The request in a body of JSON, followed by raw bytes where the header Inference-Header-Content-Length says so."""
    document, content = _document(body, header_length)
    if not isinstance(document, dict):
        raise malformed("the request is no JSON object", 'an object such as {"inputs": [...]}')
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MOST_TENSORS:
        raise malformed(f"the inputs are {excerpt(inputs)}", 'a list of tensors, as {"inputs": [...]}')
    tensors: dict[str, np.ndarray] = {}
    for entry in inputs:
        name, array, content = _tensor(entry, content)
        if name in tensors:
            raise malformed(f"the input {excerpt(name)} comes twice", "each name once")
        tensors[name] = array
    if content:
        raise malformed(
            f"{len(content):,} bytes follow the last tensor", "none", "check binary_data_size of each input"
        )
    parameters = _parameters(document)
    outputs, raw = requested_outputs(document.get("outputs"), parameters.get("binary_data_output"))
    return InferRequest(tensors, instances(tensors), _identifier(document), outputs, raw, parameters, len(body))


def instances(tensors: Mapping[str, np.ndarray]) -> int:
    """The number of instances, in which all tensors agree."""
    counts = {len(array): name for name, array in tensors.items()}
    if len(counts) > 1:
        (count, name), (another_count, another), *_ = counts.items()
        wrong = f"{excerpt(name)} has {count:,} instances and {excerpt(another)} has {another_count:,}"
        raise malformed(wrong, "one number of instances, the first axis of every tensor")
    (rows,) = counts
    if not rows:
        raise malformed("the request has no instances", "1 or more, the first axis of every tensor")
    return rows


def requested_outputs(entries: Any, binary: Any) -> tuple[dict[str, bool] | None, bool]:
    """The outputs that are wanted, and whether others go as raw bytes."""
    raw = _flag("binary_data_output", binary, False)
    if entries is None or entries == []:
        return None, raw
    if not isinstance(entries, list) or len(entries) > MOST_OUTPUTS:
        raise malformed(f"the outputs are {excerpt(entries)}", 'a list such as [{"name": "combined"}]')
    outputs = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise malformed(f"an output is {excerpt(entry)}", 'an object such as {"name": "combined"}')
        parameters = _parameters(entry)
        if "classification" in parameters:
            raise malformed("the classification extension is not supported", "", "ask for the output 'answer'")
        outputs[entry["name"]] = _flag("binary_data", parameters.get("binary_data"), raw)
    return outputs, raw


def _flag(name: str, value: Any, default: bool) -> bool:
    if value is None:
        return default
    if not isinstance(value, bool):
        raise malformed(f"{name} is {excerpt(value)}", "true or false")
    return value


def _document(body: bytes, header_length: bytes | None) -> tuple[Any, memoryview]:
    """The JSON of the body, and the raw bytes after it."""
    length = len(body)
    if header_length is not None:
        digits = header_length.strip()
        if not digits.isdigit() or len(digits) > 12 or int(digits) > length:
            wrong = f"the header Inference-Header-Content-Length is {excerpt(header_length.decode('latin-1'))}"
            raise malformed(wrong, f"the bytes of JSON before the tensors, at most {length:,}")
        length = int(digits)
    view = memoryview(body)
    text = body if length == len(body) else view[:length]
    if length > LARGE_JSON:
        _check_size(bytes(text))
    try:
        return orjson.loads(text), view[length:]
    except orjson.JSONDecodeError as error:
        raise malformed(
            f"the request is no JSON: {error.msg} (character {error.pos})", "JSON of the protocol"
        ) from error


def _check_size(text: bytes) -> None:
    """Refuse JSON that takes far more memory than it has bytes."""
    brackets, values = text.count(b"[") + text.count(b"{"), text.count(b",")
    if brackets > MOST_BRACKETS or values > MOST_VALUES:
        wrong = f"the request has {brackets:,} lists and objects and {values:,} commas"
        expected = f"at most {MOST_BRACKETS:,} and {MOST_VALUES:,}"
        raise RefusedRequestError(413, wrong, expected, "send fewer instances, flat data, or raw bytes")


def _tensor(entry: Any, content: memoryview) -> tuple[str, np.ndarray, memoryview]:
    """Name and array of an input, and the raw bytes that others have."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise malformed(f"an input is {excerpt(entry)}", "an object with name, shape, datatype and data")
    name, parameters = entry["name"], entry.get("parameters")
    parameters = _parameters(entry) if parameters else {}
    size = parameters.get("binary_data_size")
    shape = checked_shape(name, entry.get("shape"))
    datatype = checked_datatype(name, entry.get("datatype"), raw=size is not None)
    if "shared_memory_region" in parameters:
        raise malformed(f"{excerpt(name)} is in shared memory", "data in the request", "send the tensor itself")
    if size is None:
        if "data" not in entry:
            raise malformed(f"the input {excerpt(name)} has no data", "data, or binary_data_size among its parameters")
        return (
            name,
            array_of_json(name, datatype, shape, entry["data"], parameters.get("content_type") == "base64"),
            content,
        )
    if type(size) is not int or not 0 <= size <= len(content):
        wrong = f"binary_data_size of {excerpt(name)} is {excerpt(size)}"
        raise malformed(wrong, f"its bytes after the JSON, of which {len(content):,} are left")
    if "data" in entry:
        raise malformed(f"the input {excerpt(name)} has data and binary_data_size", "one of them")
    return name, array_of_bytes(name, datatype, shape, content[:size]), content[size:]


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = entry.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise malformed(f"the parameters are {excerpt(parameters)}", "an object")
    return parameters


def _identifier(document: Mapping[str, Any]) -> str:
    identifier = document.get("id", "")
    if identifier is None:
        return ""
    if not isinstance(identifier, str) or len(identifier) > 256:
        raise malformed(f"the id is {excerpt(identifier)}", "a text of up to 256 characters")
    return identifier
