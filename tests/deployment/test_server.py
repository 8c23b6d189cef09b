"""A bundle answers over real sockets: the protocol, what it refuses, and what it says about itself."""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.deployment.bundle import Bundle, open_bundle
from polyculture.deployment.server import ServerOptions
from polyculture.deployment.server.answers import BatchAnswers
from polyculture.deployment.server.options import keys_of
from polyculture.errors import InputError

from .bundles import make_bundle, make_inputs
from .server_process import DEADLINE, SOURCE, RunningServer, rows, running, send_raw

MODALITIES = ("table", "image", "series", "audio", "text", "tags")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return open_bundle(make_bundle(folder / "tiny"))


@pytest.fixture(scope="module")
def server(bundle: Bundle) -> Iterator[RunningServer]:
    with running(bundle.path, "--max-bytes", "100000", "--timeout", "20") as server:
        yield server
    assert "Traceback" not in server.log


def outputs(document: Any) -> dict[str, np.ndarray]:
    """The outputs of a JSON response as arrays."""
    return {entry["name"]: np.array(entry["data"]).reshape(entry["shape"]) for entry in document["outputs"]}


def test_the_server_needs_no_torch_scikit_learn_or_pandas(folder: Path) -> None:
    program = """if True:
        import asyncio, sys
        from pathlib import Path
        from polyculture.deployment.server import ServerOptions, serve
        from polyculture.deployment.server import process
        real = process.DrainingServer.serve
        async def stop(self, sockets):
            self.should_exit = True
            await real(self, sockets)
        process.DrainingServer.serve = stop
        serve(sys.argv[1], ServerOptions(port=0, grpc_port=0, drain=0.0, store="sqlite:///" + sys.argv[2]))
        print(sorted({m.split(".")[0] for m in sys.modules} & {"torch", "sklearn", "pandas", "onnx", "skl2onnx"}))
    """
    path = make_bundle(folder / "text", "text")
    command = [sys.executable, "-c", program, str(path), str(folder / "answers.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE), "PATH": ""})
    assert done.stdout.strip() == "[]", done.stderr


def test_metadata_and_health(server: RunningServer, bundle: Bundle) -> None:
    assert server.get("/v2/health/live").json == {"live": True}
    assert server.get("/v2/health/ready").json == {"ready": True}
    assert server.get("/v2").json["name"] == "polyculture"
    version = bundle.manifest.version
    for path in ("/v2/models/tiny", f"/v2/models/tiny/versions/{version}"):
        model = server.get(path).json
        assert [entry["name"] for entry in model["inputs"]] == ["age", "height", "weight", "income"]
        assert model["outputs"][0] == {"name": "combined", "datatype": "FP32", "shape": [-1, 3]}
        assert server.get(f"{path}/ready").json == {"name": "tiny", "ready": True}
    index = server.ask("POST", "/v2/repository/index").json
    assert index == [{"name": "tiny", "version": version, "state": "READY", "reason": ""}]


def test_answers_are_those_of_the_bundle(server: RunningServer, bundle: Bundle) -> None:
    raw = make_inputs("table", 5)
    answers = bundle.predict(raw)
    document = rows(raw.tolist()) | {
        "id": "7",
        "outputs": [{"name": "members"}, {"name": "answer"}, {"name": "combined"}],
    }
    response = server.infer(document).json
    assert (response["id"], response["model_name"], response["model_version"]) == ("7", "tiny", bundle.manifest.version)
    got = outputs(response)
    assert list(got) == ["members", "answer", "combined"]
    assert np.array_equal(got["combined"].astype(np.float32), answers.combined)
    assert np.array_equal(got["members"].astype(np.float32), answers.members)
    names = np.array(bundle.manifest.classes)
    assert got["answer"].tolist() == names[answers.answer].tolist()
    parameters = response["parameters"]
    assert parameters["bundle_version"] == bundle.manifest.version
    assert parameters["members"] == list(bundle.manifest.ids)
    assert parameters["member_answers"] == names[answers.member_answers].tolist()
    assert np.allclose(parameters["disagreement"], answers.disagreement)
    assert parameters["quorum"] == [3] * 5
    assert len(set(parameters["ids"])) == 5
    sets = answers.conformal_sets
    assert sets is not None
    assert parameters["conformal_set"] == [names[row].tolist() for row in sets]
    assert parameters["abstained"] == (sets.sum(axis=1) != 1).tolist()


def test_columns_by_name_are_the_same_rows(server: RunningServer) -> None:
    raw = make_inputs("table", 4)
    columns = [
        {"name": name, "shape": shape, "datatype": "FP64", "data": [float(x) for x in column]}
        for name, column, shape in zip(
            ("income", "weight", "height", "age"), raw.T[::-1], ([4], [4, 1], [4], [4, 1]), strict=True
        )
    ]
    by_name = outputs(server.infer({"inputs": columns}).json)["combined"]
    assert np.array_equal(by_name, outputs(server.infer(rows(raw.tolist())).json)["combined"])


def test_the_binary_extension_gives_the_same_answers(server: RunningServer) -> None:
    raw = make_inputs("table", 3)
    plain = outputs(server.infer(rows(raw.tolist())).json)
    size = raw.nbytes
    tensor = {"name": "input", "shape": [3, 4], "datatype": "FP32", "parameters": {"binary_data_size": size}}
    wanted = [{"name": "combined", "parameters": {"binary_data": True}}, {"name": "answer"}]
    text = json.dumps({"inputs": [tensor], "outputs": wanted}).encode()
    response = server.infer(text + raw.tobytes(), {"Inference-Header-Content-Length": str(len(text))})
    length = int(response.headers["inference-header-content-length"])
    head, content = json.loads(response.body[:length]), response.body[length:]
    assert head["outputs"][0]["parameters"] == {"binary_data_size": 36}
    assert np.array_equal(np.frombuffer(content, "<f4").reshape(3, 3), plain["combined"].astype(np.float32))
    assert head["outputs"][1]["data"] == plain["answer"].tolist()
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    response = server.infer(text + raw.tobytes(), {"Inference-Header-Content-Length": str(len(text))})
    length = int(response.headers["inference-header-content-length"])
    answers = b"".join(struct.pack("<I", len(name)) + name.encode() for name in plain["answer"].tolist())
    assert response.body[length + 36 :] == answers


@pytest.mark.slow
@pytest.mark.parametrize("modality", MODALITIES)
def test_every_modality_is_read(folder: Path, modality: Any) -> None:
    bundle = open_bundle(make_bundle(folder / f"all-{modality}", modality))
    raw = make_inputs(modality, 4)
    expected = bundle.predict(raw)
    if modality in ("text", "tags"):
        texts = raw.tolist() if modality == "text" else [" ".join(token for token in row if token) for row in raw]
        document = rows(texts, "BYTES")
    else:
        document = rows(raw.tolist())
    with running(bundle.path) as server:
        response = server.infer(document | {"outputs": [{"name": "combined"}, {"name": "answer"}]})
        assert response.status == 200, response.body
        got = outputs(response.json)
        assert np.allclose(got["combined"].astype(np.float32), expected.combined, atol=1e-6)
        alone = [outputs(server.infer(_instance(document, i)).json)["combined"] for i in range(4)]
    steps = expected.length if expected.length is not None else [None] * 4
    for i, answer in enumerate(alone):  # an answer does not depend on who came along
        assert np.allclose(answer[0][: steps[i]], expected.combined[i][: steps[i]], atol=1e-5)


def _instance(document: dict[str, Any], row: int) -> dict[str, Any]:
    """The request with one instance of another one."""
    (tensor,) = document["inputs"]
    n = tensor["shape"][0]
    size = len(tensor["data"]) // n
    data = tensor["data"][row * size : (row + 1) * size]
    return {"inputs": [tensor | {"shape": [1, *tensor["shape"][1:]], "data": data}]}


def test_images_are_read_from_files(folder: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    import io

    path = make_bundle(folder / "files", "image")
    levels = (make_inputs("image", 2) * 255).round().astype(np.uint8)
    files = []
    for level in levels:
        stream = io.BytesIO()
        images.fromarray(level).save(stream, "PNG")
        files.append(stream.getvalue())
    with running(path) as server:
        by_level = outputs(server.infer(rows(levels.tolist(), "UINT8")).json)["combined"]
        document = rows([base64.b64encode(file).decode() for file in files], "BYTES")
        document["inputs"][0]["parameters"] = {"content_type": "base64"}
        assert np.allclose(outputs(server.infer(document).json)["combined"], by_level, atol=1e-6)
        document["inputs"][0]["data"][1] = base64.b64encode(b"no image").decode()
        refusal = server.infer(document)
    assert (refusal.status, refusal.error.split(";")[0]) == (400, "image 1 cannot be read")


def test_numbers_are_predicted(folder: Path) -> None:
    bundle = open_bundle(make_bundle(folder / "regression", regression=True, rule="mean"))
    raw = make_inputs("table", 3)
    answers = bundle.predict(raw)
    with running(bundle.path) as server:
        response = server.infer(rows(raw.tolist())).json
        assert server.infer(rows(raw.tolist()) | {"outputs": [{"name": "answer"}]}).status == 400
    assert np.allclose(outputs(response)["combined"], answers.combined)
    parameters = response["parameters"]
    assert np.allclose(parameters["member_values"], answers.member_values)
    assert np.allclose(parameters["conformal_interval"], answers.conformal_interval)
    assert "answer" not in parameters


@pytest.mark.parametrize("rule", ["mean", "vote", "weighted_vote", "geometric", "stacking"])
def test_what_is_derived_once_is_what_the_answers_say(folder: Path, rule: str) -> None:
    bundle = open_bundle(make_bundle(folder / rule, rule=rule))
    answers = bundle.predict(make_inputs("table", 20))
    batch = BatchAnswers.of(bundle.manifest, answers)
    assert batch.codes == answers.answer.tolist()
    assert batch.member_answers == answers.member_answers.tolist()
    assert np.allclose(batch.confidence, answers.confidence)
    assert np.allclose(batch.disagreement, answers.disagreement)
    assert batch.quorum == answers.quorum.tolist()


def test_refusals_have_a_status_and_a_sentence(server: RunningServer) -> None:
    one = rows([[1.0, 2.0, 3.0, 4.0]])
    cases: list[tuple[int, str, Any]] = [
        (400, "the request is no JSON", "{"),
        (400, "no column 'age'", rows([1.0], name="nobody")),
        (400, "'input' has data of shape [3]", {"inputs": [one["inputs"][0] | {"data": [1, 2, 3]}]}),
        (400, "inputs of the shape (1, 3)", rows([[1.0, 2.0, 3.0]])),
        (400, "row 0 has a number that is missing", {"inputs": [one["inputs"][0] | {"data": [1, 2, 3, None]}]}),
        (400, "the output 'answers' is unknown", one | {"outputs": [{"name": "answers"}]}),
        (
            400,
            "the classification extension",
            one | {"outputs": [{"name": "answer", "parameters": {"classification": 1}}]},
        ),
        (400, "the ids are", one | {"parameters": {"ids": ["a", "b"]}}),
        (400, "the groups are", one | {"parameters": {"groups": 3}}),
        (400, "the parameter 'explain' is {'seconds': -1}", one | {"parameters": {"explain": {"seconds": -1}}}),
        (400, "the parameter 'explain' is 'please'", one | {"parameters": {"explain": "please"}}),
        (413, "the request has", rows([[1.0] * 4] * 10_000)),
    ]
    for status, sentence, document in cases:
        refusal = server.infer(document)
        assert (refusal.status, refusal.error[: len(sentence)]) == (status, sentence)
        assert refusal.headers["content-type"] == "application/json"


def test_an_answer_says_what_the_set_looked_at_where_it_is_asked(server: RunningServer, bundle: Bundle) -> None:
    raw = make_inputs("table", 2)
    document = rows(raw.tolist()) | {"parameters": {"explain": {"seconds": 20}}}
    explanation = server.infer(document).json["parameters"]["explanation"]
    assert (explanation["features"], explanation["complete"]) == (["age", "height", "weight", "income"], True)
    assert np.shape(explanation["values"]) == (2, 4)
    assert np.abs(explanation["values"]).max() > 0
    assert "explanation" not in server.infer(rows(raw.tolist())).json["parameters"]


def test_unknown_pages_and_models_are_404(server: RunningServer) -> None:
    for path in ("/nobody", "/v2/models/other", "/v2/models/tiny/versions/other", "/v2/models/..%2f..%2fetc%2fpasswd"):
        answer = server.get(path)
        assert answer.status == 404
        assert answer.error
    for path in ("/../../etc/passwd", "/v2/models/../../../etc/passwd", "/docs/../../etc/passwd"):
        assert send_raw(server.port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).startswith(b"HTTP/1.1 404")
    for model in ("other", "tiny/versions/other", "..%2ftiny", ""):
        assert server.infer(rows([[1.0] * 4]), model=model).status == 404
    assert server.ask("DELETE", "/v2/models/tiny").status == 405
    assert server.ask("POST", "/v2/repository/models/tiny/load").status == 400


def test_packed_bodies_are_unpacked_within_limits(server: RunningServer) -> None:
    body = json.dumps(rows([[1.0] * 4])).encode()
    for encoding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        assert server.infer(packed, {"Content-Encoding": encoding}).status == 200
        assert server.infer(packed[:-3], {"Content-Encoding": encoding}).status == 400
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert server.infer(bomb, {"Content-Encoding": "gzip"}).status == 413
    assert server.infer(body, {"Content-Encoding": "gzip"}).status == 400
    assert server.infer(body, {"Content-Encoding": "br"}).status == 415


def test_a_body_that_is_too_long_is_refused_while_it_is_read(server: RunningServer) -> None:
    refusal = server.infer(b" " * 200_000)
    assert (refusal.status, refusal.headers["connection"]) == (413, "close")
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    head = b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert send_raw(server.port, head + chunk * 4 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413")


def test_what_is_no_http_is_refused(server: RunningServer) -> None:
    head = b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\n"
    long_header = b"X: " + b"y" * 100_000 + b"\r\n\r\n"
    for content in (
        b"nothing\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        head + b"Content-Length: -5\r\n\r\n",
        head + long_header,
    ):
        assert send_raw(server.port, content).startswith(b"HTTP/1.1 400")
    assert server.get("/v2/health/live").status == 200


def test_every_way_to_send_http_is_understood(server: RunningServer) -> None:
    body = json.dumps(rows([[1.0] * 4])).encode()
    head = b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nConnection: close"
    length = f"\r\nContent-Length: {len(body)}\r\n".encode()
    chunked = b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    upgrade = b", Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
    for content in (
        head + length + b"\r\n" + body,
        head + chunked,
        head + upgrade + length + b"\r\n" + body,
        head.replace(b"HTTP/1.1", b"HTTP/1.0") + length + b"\r\n" + body,
    ):
        assert send_raw(server.port, content).startswith(b"HTTP/1.1 200"), content
    expecting = send_raw(server.port, head + length + b"Expect: 100-continue\r\n\r\n" + body)
    assert expecting.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    first = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as connection:
        connection.sendall(first * 2 + head + length + b"\r\n" + body)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    assert received.count(b"HTTP/1.1 200") == 3


def test_pages_need_no_other_host(server: RunningServer) -> None:
    server.infer(rows([[1.0] * 4]))
    for path in ("/", "/docs"):
        page = server.get(path)
        assert page.headers["content-type"].startswith("text/html")
        assert b"http://" not in page.body
        assert b"https://" not in page.body
    routes = server.get("/openapi.json").json["paths"]
    assert {"/v2", "/v2/models/{name}/infer", "/v2/models/{name}/labels", "/metrics", "/status"} <= set(routes)
    status = server.get("/status").json
    assert (status["name"], status["schema"]) == ("tiny", 1)
    assert status["requests"]["answered"] > 0
    assert status["store"] == {"state": "off"}


def test_metrics_count_requests_and_members(folder: Path, bundle: Bundle) -> None:
    raw = make_inputs("table", 6)
    with running(bundle.path) as server:
        for row in raw:
            assert server.infer(rows([row.tolist()])).status == 200
        server.infer("{")
        text = server.get("/metrics").body.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['polyculture_requests_total{code="200",model="tiny",protocol="rest"}'] == "6.0"
    assert lines['polyculture_requests_total{code="400",model="tiny",protocol="rest"}'] == "1.0"
    assert lines['polyculture_instances_total{model="tiny"}'] == "6.0"
    assert lines['polyculture_member_answered_total{member="m0",model="tiny"}'] == "6.0"
    assert lines['polyculture_quorum{model="tiny"}'] == "3.0"
    assert lines[f'polyculture_bundle_info{{model="tiny",version="{bundle.manifest.version}"}}'] == "1.0"
    assert lines['polyculture_alarm{alarm="disagreement",model="tiny"}'] == "0.0"
    expected = float(np.sum(bundle.predict(raw).disagreement))
    assert float(lines['polyculture_disagreement_total{model="tiny"}']) == pytest.approx(expected)


def test_options_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(InputError, match="workers is 0; expected 1 to 256"):
        ServerOptions(workers=0)
    with pytest.raises(InputError, match="only one of tls_cert and tls_key"):
        ServerOptions(tls_cert=Path("a"))
    with pytest.raises(InputError, match="port is 70000; expected 0 to 65,535"):
        ServerOptions(port=70_000)
    with pytest.raises(InputError, match="the environment variable NOBODY is empty"):
        keys_of("NOBODY", {})
    assert keys_of("KEYS", {"KEYS": "a, b"}) == ("a", "b")


def test_the_page_of_the_protocol_shows_what_the_server_says(server: RunningServer) -> None:
    page = (SOURCE.parent / "docs" / "protocol.md").read_text(encoding="utf-8")
    request, answer, labels = (json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", page, re.M | re.S))
    response = server.infer(request).json
    assert list(response) == list(answer)
    assert list(response["parameters"]) == list(answer["parameters"])
    assert response["parameters"]["ids"] == answer["parameters"]["ids"]
    for entry, example in zip(response["outputs"], answer["outputs"], strict=True):
        assert {**entry, "data": []} == {**example, "data": []}
    assert server.ask("POST", "/v2/models/tiny/labels", json.dumps(labels)).status == 200
    routes = server.get("/openapi.json").json["paths"]
    shown = re.sub(r"\{(\w+)\}", lambda m: m[1].upper(), " ".join(routes))
    for path in ("/v2/models/NAME/labels", "/admin/bundle", "/v2/health/live", "/v2/repository/index"):
        assert path in shown
        assert path in page
