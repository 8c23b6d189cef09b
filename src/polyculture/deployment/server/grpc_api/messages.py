"""Which messages has the protocol over gRPC? Those of its definition, made at run time, without generated code.

The table has the fields of `grpc_predict_v2.proto` of the Open Inference Protocol (package ``inference``), extended as
Triton's definition is by 64-bit unsigned and floating-point parameters and by the index of the repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE, SERVICE = "inference", "GRPCInferenceService"
Fields = Mapping[str, tuple[int, str]]
_METADATA: Fields = {"name": (1, "string"), "datatype": (2, "string"), "shape": (3, "int64*")}
_TENSOR: Fields = {
    "name": (1, "string"),
    "datatype": (2, "string"),
    "shape": (3, "int64*"),
    "parameters": (4, "map"),
    "contents": (5, "InferTensorContents"),
}
MESSAGES: Mapping[str, Fields] = {
    "ServerLiveRequest": {},
    "ServerLiveResponse": {"live": (1, "bool")},
    "ServerReadyRequest": {},
    "ServerReadyResponse": {"ready": (1, "bool")},
    "ModelReadyRequest": {"name": (1, "string"), "version": (2, "string")},
    "ModelReadyResponse": {"ready": (1, "bool")},
    "ServerMetadataRequest": {},
    "ServerMetadataResponse": {"name": (1, "string"), "version": (2, "string"), "extensions": (3, "string*")},
    "ModelMetadataRequest": {"name": (1, "string"), "version": (2, "string")},
    "ModelMetadataResponse": {
        "name": (1, "string"),
        "versions": (2, "string*"),
        "platform": (3, "string"),
        "inputs": (4, "ModelMetadataResponse.TensorMetadata*"),
        "outputs": (5, "ModelMetadataResponse.TensorMetadata*"),
    },
    "ModelMetadataResponse.TensorMetadata": _METADATA,
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "parameters": (4, "map"),
        "inputs": (5, "ModelInferRequest.InferInputTensor*"),
        "outputs": (6, "ModelInferRequest.InferRequestedOutputTensor*"),
        "raw_input_contents": (7, "bytes*"),
    },
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": {"name": (1, "string"), "parameters": (2, "map")},
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "parameters": (4, "map"),
        "outputs": (5, "ModelInferResponse.InferOutputTensor*"),
        "raw_output_contents": (6, "bytes*"),
    },
    "ModelInferResponse.InferOutputTensor": _TENSOR,
    "InferParameter": {
        "bool_param": (1, "bool?"),
        "int64_param": (2, "int64?"),
        "string_param": (3, "string?"),
        "double_param": (4, "double?"),
        "uint64_param": (5, "uint64?"),
    },
    "InferTensorContents": {
        "bool_contents": (1, "bool*"),
        "int_contents": (2, "int32*"),
        "int64_contents": (3, "int64*"),
        "uint_contents": (4, "uint32*"),
        "uint64_contents": (5, "uint64*"),
        "fp32_contents": (6, "float*"),
        "fp64_contents": (7, "double*"),
        "bytes_contents": (8, "bytes*"),
    },
    "RepositoryIndexRequest": {"repository_name": (1, "string"), "ready": (2, "bool")},
    "RepositoryIndexResponse": {"models": (1, "RepositoryIndexResponse.ModelIndex*")},
    "RepositoryIndexResponse.ModelIndex": {
        "name": (1, "string"),
        "version": (2, "string"),
        "state": (3, "string"),
        "reason": (4, "string"),
    },
}
"""By message the number and type of each field; * repeated, ? one of several, map: parameters by name."""
METHODS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
    "RepositoryIndex",
)
"""Methods of the service; the messages of each are its name with Request and Response."""


@cache
def message_classes() -> Mapping[str, Any]:
    """By name the classes of the messages, from a pool of their own: other definitions of the package may be loaded."""
    definition = descriptor_pb2.FileDescriptorProto(name="open_inference_v2.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        if "." not in name:
            _define(definition.message_type.add(), name, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(definition)
    names = {name: f"{PACKAGE}.{name}" for name in MESSAGES}
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(full)) for name, full in names.items()}


def _define(message: Any, name: str, fields: Fields) -> None:
    """Fill the definition of a message: its fields, and the messages inside of it."""
    message.name = name.rpartition(".")[2]
    for field, (number, kind) in fields.items():
        _add_field(message, name, field, number, kind)
    for inner, inner_fields in MESSAGES.items():
        if inner.rpartition(".")[0] == name:
            _define(message.nested_type.add(), inner, inner_fields)


def _add_field(message: Any, name: str, field: str, number: int, kind: str) -> None:
    types = descriptor_pb2.FieldDescriptorProto
    entry = message.field.add(name=field, number=number)
    entry.label = types.LABEL_REPEATED if kind.endswith("*") or kind == "map" else types.LABEL_OPTIONAL
    if kind.endswith("?"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        entry.oneof_index = 0
    type_name = kind.rstrip("*?")
    if type_name == "map":
        pairs = message.nested_type.add(name=f"{field.title()}Entry")
        pairs.options.map_entry = True
        pairs.field.add(name="key", number=1, label=types.LABEL_OPTIONAL, type=types.TYPE_STRING)
        value = pairs.field.add(name="value", number=2, label=types.LABEL_OPTIONAL, type=types.TYPE_MESSAGE)
        value.type_name = f".{PACKAGE}.InferParameter"
        entry.type, entry.type_name = types.TYPE_MESSAGE, f".{PACKAGE}.{name}.{field.title()}Entry"
    elif type_name[0].isupper():
        entry.type, entry.type_name = types.TYPE_MESSAGE, f".{PACKAGE}.{type_name}"
    else:
        entry.type = getattr(types, f"TYPE_{type_name.upper()}")
