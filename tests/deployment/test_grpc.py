"""The protocol over gRPC, spoken by a stub of the messages themselves, and by the clients that others wrote."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("grpc", reason="grpcio is not installed")
pytest.importorskip("google.protobuf", reason="protobuf is not installed")
pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

import grpc

from polyculture.deployment.bundle import open_bundle
from polyculture.deployment.server.grpc_api.messages import METHODS, message_classes

from .bundles import make_bundle, make_inputs
from .server_process import DEADLINE, RunningServer, running

MESSAGES = message_classes()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("grpc") / "tiny")


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[RunningServer]:
    with running(bundle, "--grpc-port", "0", "--max-bytes", "100000") as server:
        yield server
    assert "Traceback" not in server.log


def call(server: RunningServer, method: str, key: str = "", **fields: Any) -> Any:
    """One call of a method."""
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = channel.unary_unary(
            f"/inference.GRPCInferenceService/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=MESSAGES[f"{method}Response"].FromString,
        )
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        return stub(MESSAGES[f"{method}Request"](**fields), timeout=DEADLINE, metadata=metadata)


def refused(server: RunningServer, method: str = "ModelInfer", **fields: Any) -> tuple[str, str]:
    """Code and sentence of a refusal."""
    with pytest.raises(grpc.RpcError) as caught:
        call(server, method, **fields)
    return caught.value.code().name, caught.value.details()


def tensor(values: np.ndarray, **fields: Any) -> dict[str, Any]:
    """A tensor of 32-bit numbers with its contents."""
    entry: dict[str, Any] = {"name": "input", "datatype": "FP32", "shape": values.shape}
    return entry | {"contents": {"fp32_contents": values.ravel().tolist()}} | fields


def test_the_messages_are_those_of_the_official_definition() -> None:
    """Numbers and types of the fields, as in the definition that comes with Triton's client."""
    if importlib.util.find_spec("tritonclient") is None:
        pytest.skip("tritonclient is not installed")
    program = """if True:
        from tritonclient.grpc import service_pb2
        import json
        def fields(message):
            return {f.name: [f.number, f.type, f.is_repeated] for f in message.fields}
        messages = service_pb2.DESCRIPTOR.message_types_by_name
        print(json.dumps({name: fields(message) for name, message in messages.items()}))
    """
    official = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    for method in METHODS:
        for name in (f"{method}Request", f"{method}Response"):
            ours = {f.name: [f.number, f.type, f.is_repeated] for f in MESSAGES[name].DESCRIPTOR.fields}
            assert ours == {field: official[name][field] for field in ours}
            assert set(ours) == set(official[name])
    for name in ("InferParameter", "InferTensorContents"):
        assert set(official[name]) == {f.name for f in MESSAGES[name].DESCRIPTOR.fields}


def test_metadata_and_health(server: RunningServer, bundle: Path) -> None:
    version = open_bundle(bundle).manifest.version
    assert call(server, "ServerLive").live
    assert call(server, "ServerReady").ready
    assert call(server, "ModelReady", name="tiny", version=version).ready
    assert call(server, "ServerMetadata").name == "polyculture"
    metadata = call(server, "ModelMetadata", name="tiny")
    assert (list(metadata.versions), [entry.name for entry in metadata.inputs][:2]) == ([version], ["age", "height"])
    assert [model.state for model in call(server, "RepositoryIndex").models] == ["READY"]


def test_contents_and_raw_contents_give_the_answers_of_the_bundle(server: RunningServer, bundle: Path) -> None:
    raw = make_inputs("table", 3)
    answers = open_bundle(bundle).predict(raw)
    plain = call(server, "ModelInfer", model_name="tiny", id="7", inputs=[tensor(raw)])
    assert np.array_equal(np.array(plain.outputs[0].contents.fp32_contents, "f"), answers.combined.ravel())
    names = [f"c{code}".encode() for code in answers.answer]
    assert list(plain.outputs[1].contents.bytes_contents) == names
    assert (plain.id, plain.model_name) == ("7", "tiny")
    assert json.loads(plain.parameters["quorum"].string_param) == [3, 3, 3]
    packed = call(
        server,
        "ModelInfer",
        model_name="tiny",
        inputs=[{"name": "input", "datatype": "FP32", "shape": [3, 4]}],
        outputs=[{"name": "members"}],
        raw_input_contents=[raw.tobytes()],
    )
    assert np.array_equal(np.frombuffer(packed.raw_output_contents[0], "<f4"), answers.members.ravel())


def test_refusals_have_a_code_and_a_sentence(server: RunningServer) -> None:
    one = make_inputs("table", 1)
    bare = {"name": "input", "datatype": "FP32", "shape": [1, 4]}
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("NOT_FOUND", "there is no model 'other'", {"model_name": "other", "inputs": [tensor(one)]}),
        ("NOT_FOUND", "the model 'tiny' has no version '9'", {"model_version": "9", "inputs": [tensor(one)]}),
        ("INVALID_ARGUMENT", "the request has 0 inputs", {}),
        ("INVALID_ARGUMENT", "'input' has 4 values in fp32_contents", {"inputs": [tensor(one, shape=[2, 4])]}),
        ("INVALID_ARGUMENT", "'input' has 4 values in fp32_contents", {"inputs": [tensor(one, shape=[2**62, 4])]}),
        ("INVALID_ARGUMENT", "the shape of 'input'", {"inputs": [tensor(one, shape=[-1, 4])]}),
        ("INVALID_ARGUMENT", "the input 'input' has the datatype FP16", {"inputs": [tensor(one, datatype="FP16")]}),
        ("INVALID_ARGUMENT", "the datatype of 'input' is 'FP8'", {"inputs": [tensor(one, datatype="FP8")]}),
        ("INVALID_ARGUMENT", "'input' has 3 bytes", {"inputs": [bare], "raw_input_contents": [b"abc"]}),
        ("INVALID_ARGUMENT", "there are 2 raw contents", {"inputs": [bare], "raw_input_contents": [b"", b""]}),
        ("INVALID_ARGUMENT", "the input 'input' comes twice", {"inputs": [tensor(one), tensor(one)]}),
        ("INVALID_ARGUMENT", "the output 'x' is unknown", {"inputs": [tensor(one)], "outputs": [{"name": "x"}]}),
        ("INVALID_ARGUMENT", "row 0 has a number", {"inputs": [tensor(one * np.nan)]}),
        (
            "INVALID_ARGUMENT",
            "the parameter 'explain' is 'please'",
            {"inputs": [tensor(one)], "parameters": {"explain": {"string_param": "please"}}},
        ),
    ]
    for code, sentence, fields in cases:
        got, details = refused(server, **({"model_name": "tiny"} | fields))
        assert (got, details[: len(sentence)]) == (code, sentence)
    long = tensor(np.zeros((10_000, 4), "f"))
    assert refused(server, model_name="tiny", inputs=[long])[0] == "RESOURCE_EXHAUSTED"
    assert refused(server, "ModelMetadata", name="other")[0] == "NOT_FOUND"


@pytest.mark.parametrize("parameter", [{"bool_param": True}, {"string_param": '{"seconds": 20}'}])
def test_explanations_are_texts_of_json(server: RunningServer, parameter: dict[str, Any]) -> None:
    inputs, asked = [tensor(make_inputs("table", 2))], {"explain": parameter}
    answer = call(server, "ModelInfer", model_name="tiny", inputs=inputs, parameters=asked)
    explanation = json.loads(answer.parameters["explanation"].string_param)
    assert (explanation["features"], np.shape(explanation["values"])) == (["age", "height", "weight", "income"], (2, 4))


def test_keys_are_asked_for(bundle: Path) -> None:
    with running(bundle, "--grpc-port", "0", "--api-key-env", "KEYS", environment={"KEYS": "one"}) as server:
        assert call(server, "ServerLive").live
        assert refused(server, "ServerMetadata")[0] == "UNAUTHENTICATED"
        assert call(server, "ServerMetadata", key="one").name == "polyculture"


CLIENTS = {
    "tritonclient": """if True:
        import sys
        import numpy as np
        import tritonclient.grpc as over_grpc
        import tritonclient.http as over_http
        x = np.array(eval(sys.argv[3]), np.float32)
        for module, port in ((over_http, sys.argv[1]), (over_grpc, sys.argv[2])):
            client = module.InferenceServerClient(f"127.0.0.1:{port}")
            assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("tiny")
            client.get_server_metadata(), client.get_model_metadata("tiny"), client.get_model_repository_index()
            tensor = module.InferInput("input", list(x.shape), "FP32")
            tensor.set_data_from_numpy(x)
            result = client.infer("tiny", [tensor], request_id="7")
            print(result.as_numpy("combined").tolist(), [name.decode() for name in result.as_numpy("answer")])
        tensor = over_http.InferInput("input", list(x.shape), "FP32")
        tensor.set_data_from_numpy(x, binary_data=False)
        client = over_http.InferenceServerClient(f"127.0.0.1:{sys.argv[1]}")
        wanted = [over_http.InferRequestedOutput(name, binary_data=name == "answer") for name in ("combined", "answer")]
        result = client.infer("tiny", [tensor], outputs=wanted, request_compression_algorithm="gzip")
        print(result.as_numpy("combined").tolist(), [name.decode() for name in result.as_numpy("answer")])
    """,
    "kserve": """if True:
        import asyncio, sys
        import numpy as np
        from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
        x = np.array(eval(sys.argv[3]), np.float32)
        def request(binary):
            tensor = InferInput("input", list(x.shape), "FP32")
            tensor.set_data_from_numpy(x, binary_data=binary)
            return InferRequest(model_name="tiny", infer_inputs=[tensor], parameters={"binary_data_output": binary})
        def show(response):
            answers = [name if isinstance(name, str) else name.decode() for name in response.outputs[1].as_numpy()]
            print(response.outputs[0].as_numpy().astype(np.float32).tolist(), answers)
        async def main():
            url, rest = f"http://127.0.0.1:{sys.argv[1]}", InferenceRESTClient(RESTConfig(protocol="v2"))
            assert await rest.is_server_ready(url) and await rest.is_server_live(url)
            assert await rest.is_model_ready(url, "tiny")
            for binary in (True, False):
                show(await rest.infer(url, request(binary), model_name="tiny"))
            over_grpc = InferenceGRPCClient(f"127.0.0.1:{sys.argv[2]}")
            assert await over_grpc.is_server_ready() and await over_grpc.is_model_ready("tiny")
            for binary in (True, False):
                show(await over_grpc.infer(request(binary)))
            await over_grpc.close()
        asyncio.run(main())
    """,
}
"""Programs with the clients as their documentation shows them; each in a process, as both define the same messages."""


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_that_others_wrote_call_it_unchanged(server: RunningServer, bundle: Path, client: str) -> None:
    imports = {"tritonclient": "import tritonclient.http, tritonclient.grpc", "kserve": "import kserve"}[client]
    if subprocess.run([sys.executable, "-W", "ignore", "-c", imports], capture_output=True).returncode:
        pytest.skip(f"{client} is not installed")
    raw = make_inputs("table", 2)
    answers = open_bundle(bundle).predict(raw)
    words = [str(server.port), str(server.grpc_port), repr(raw.tolist())]
    command = [sys.executable, "-W", "ignore", "-c", CLIENTS[client], *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    expected = f"{answers.combined.tolist()} {[f'c{code}' for code in answers.answer]}"
    assert set(done.stdout.splitlines()) == {expected}
