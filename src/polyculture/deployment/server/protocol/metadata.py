"""What does the server say about itself and its model, before anybody asks for answers?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyculture.version import __version__

if TYPE_CHECKING:
    from ...bundle.manifest import Manifest

EXTENSIONS = ("binary_tensor_data", "model_repository", "polyculture_members", "polyculture_labels")
"""Extensions of the protocol: two standard ones (of the repository the index only), and two of our own."""
PLATFORM = "polyculture_onnxruntime"


def server_metadata() -> dict[str, Any]:
    """What `GET /v2` says."""
    return {"name": "polyculture", "version": __version__, "extensions": list(EXTENSIONS)}


def model_metadata(name: str, manifest: Manifest) -> dict[str, Any]:
    """What `GET /v2/models/NAME` says."""
    return {
        "name": name,
        "versions": [manifest.version],
        "platform": PLATFORM,
        "inputs": input_tensors(manifest),
        "outputs": output_tensors(manifest),
        "parameters": {
            "task": manifest.task,
            "modality": manifest.modality,
            "classes": list(manifest.classes),
            "members": list(manifest.ids),
            "rule": manifest.rule,
            "quorum": manifest.quorum,
        },
    }


def input_tensors(manifest: Manifest) -> list[dict[str, Any]]:
    """Name, datatype and shape of each input; −1 stands for any size."""
    if manifest.columns:
        kinds = {"number": "FP64", "category": "BYTES"}
        return [{"name": c.name, "datatype": kinds[c.kind], "shape": [-1]} for c in manifest.columns]
    if manifest.modality in ("text", "tags"):
        return [{"name": "input", "datatype": "BYTES", "shape": [-1]}]
    return [{"name": "input", "datatype": "FP32", "shape": [-1, *manifest.input_shape]}]


def output_tensors(manifest: Manifest) -> list[dict[str, Any]]:
    """Name, datatype and shape of each output; −1 stands for any size."""
    steps = [-1] if manifest.task == "tagging" else []
    m, c = len(manifest.members), manifest.width
    outputs = [{"name": "combined", "datatype": "FP32", "shape": [-1, *steps, c]}]
    if manifest.task != "regression":
        outputs.append({"name": "answer", "datatype": "BYTES", "shape": [-1, *steps]})
    outputs.append({"name": "members", "datatype": "FP32", "shape": [-1, m, *steps, c]})
    return outputs


def repository_index(name: str, manifest: Manifest, draining: bool) -> list[dict[str, str]]:
    """What `POST /v2/repository/index` says."""
    state = "UNAVAILABLE" if draining else "READY"
    return [
        {"name": name, "version": manifest.version, "state": state, "reason": "the server stops" if draining else ""}
    ]
