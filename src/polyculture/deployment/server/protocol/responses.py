"""What does a client get? The outputs it asked for, and as parameters what is known beyond them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from polyculture.errors import near

from ..answers import RequestAnswers
from ..refusals import excerpt, malformed
from .requests import InferRequest
from .tensors import bytes_of_array, json_of_array

CLASSES_OUTPUTS, VALUES_OUTPUTS = ("combined", "answer", "members"), ("combined", "members")
"""Outputs of a bundle that predicts classes, and of one that predicts numbers."""
Output = tuple[str, str, np.ndarray]
"""Name, datatype and array."""


def selected_outputs(request: InferRequest, answers: RequestAnswers) -> list[Output]:
    """The outputs that a request asks for, in its order; without a wish all but those of each member."""
    numbers = answers.batch.manifest.task == "regression"
    names = VALUES_OUTPUTS if numbers else CLASSES_OUTPUTS
    if request.outputs is None:
        return [_output(name, answers) for name in names if name != "members"]
    for name in request.outputs:
        if name not in names:
            raise malformed(f"the output {excerpt(name)} is unknown", ", ".join(names), near(name, names))
    return [_output(name, answers) for name in request.outputs]


def _output(name: str, answers: RequestAnswers) -> Output:
    batch, part = answers.batch, answers.part
    if name == "combined":
        return name, "FP32", batch.combined[part]
    if name == "members":
        return name, "FP32", batch.members[part]
    return name, "BYTES", np.array(class_names(batch.names, batch.codes[part]), object)


def class_names(names: tuple[str, ...], codes: list[Any]) -> list[Any]:
    """The names that belong to codes, nested as they are.

    Parameters
    ----------
    names : of the classes, and last the empty text, for the code −1: no answer.
    """
    if codes and isinstance(codes[0], list):
        return [class_names(names, inner) for inner in codes]
    return [names[code] for code in codes]


def parameters_of(answers: RequestAnswers) -> dict[str, Any]:
    """What is known about the answers beyond the outputs, as plain values; nan is null."""
    batch, part = answers.batch, answers.part
    manifest, sets = batch.manifest, batch.sets
    parameters: dict[str, Any] = {"bundle_version": manifest.version, "members": list(manifest.ids)}
    if manifest.task == "regression":
        parameters["member_values"] = batch.members[part, :, 0].tolist()
        if sets is not None:
            parameters["conformal_interval"] = sets[part]
    else:
        parameters["answer"] = class_names(batch.names, batch.codes[part])
        parameters["member_answers"] = class_names(batch.names, batch.member_answers[part])
        if sets is not None:
            parameters["conformal_set"] = sets[part]
            parameters["abstained"] = [_is_undecided(members) for members in sets[part]]
    parameters["disagreement"] = batch.disagreement[part]
    parameters["quorum"] = batch.quorum[part]
    parameters["ids"] = answers.ids
    if answers.explanation is not None:
        parameters["explanation"] = answers.explanation
    return parameters


def _is_undecided(members: Any) -> bool:
    """Whether a conformal set, or that of some token, does not single out one class."""
    if members and isinstance(members[0], list):
        return any(len(inner) != 1 for inner in members)
    return len(members) != 1


def write_response(name: str, request: InferRequest, answers: RequestAnswers) -> tuple[bytes, int | None]:
    """The body of a response, and where raw bytes follow its JSON the length of that."""
    outputs, contents = [], []
    for output, datatype, array in selected_outputs(request, answers):
        entry: dict[str, Any] = {"name": output, "datatype": datatype, "shape": array.shape}
        if request.raw if request.outputs is None else request.outputs[output]:
            content = bytes_of_array(datatype, array)
            contents.append(content)
            entry["parameters"] = {"binary_data_size": len(content)}
        else:
            entry["data"] = json_of_array(datatype, array)
        outputs.append(entry)
    document: dict[str, Any] = {"model_name": name, "model_version": answers.batch.manifest.version}
    if request.id:
        document["id"] = request.id
    document["parameters"] = parameters_of(answers)
    document["outputs"] = outputs
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([text, *contents]), len(text)) if contents else (text, None)


def error_body(message: str) -> bytes:
    """The body of a response without answers."""
    return orjson.dumps({"error": message})


def flat_parameters(parameters: Mapping[str, Any]) -> dict[str, bool | int | str]:
    """Parameters as gRPC has them: truth values, whole numbers and texts; everything else as JSON."""
    return {
        name: value if isinstance(value, (bool, int, str)) else orjson.dumps(value).decode()
        for name, value in parameters.items()
    }
