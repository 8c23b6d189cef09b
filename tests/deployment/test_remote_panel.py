"""A panel of judges: from a TOML file to a bundle to a server, with services on real sockets behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("fastapi", reason="fastapi is not installed")

from polyculture.cli import main
from polyculture.deployment import open_bundle
from polyculture.deployment.remote import RemoteMember
from polyculture.rng import stream

from .bundles import COLUMNS, make_bundle
from .remote_services import Service, completion, services
from .server_process import running

MEMBER = """
[[member]]
id = "{name}"
kind = "chat"
url = "{url}/v1/chat/completions"
model = "judge-{name}"
prompt = "{prompt}"
key_env = "PANEL_KEY"
price_per_call = 0.01
timeout_s = {timeout}
retries = 0
break_after = 2
break_s = 3600
"""


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Starts services; all are stopped at the end."""
    with services() as start:
        yield start


def panel(folder: Path, head: str, members: dict[str, tuple[str, float]], prompt: str = "Good? {text}") -> Path:
    """A file with these members: url and timeout by name."""
    tables = [MEMBER.format(name=n, url=url, timeout=t, prompt=prompt) for n, (url, t) in members.items()]
    path = folder / "panel.toml"
    path.write_text(f"[panel]\n{head}\n{''.join(tables)}", encoding="utf-8")
    return path


def ask(server: Any, text: str, model: str = "judges") -> dict[str, Any]:
    """The answer about one text."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    answer = server.infer({"inputs": [tensor]}, model=model)
    assert answer.status == 200, answer.body
    return dict(answer.json["parameters"])


def test_a_panel_answers_without_the_judges_that_fail(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [serve(lambda _, request: completion("yes" if "fine" in str(request) else "no")) for _ in range(2)]
    hanging = serve(lambda *_: completion("yes"), seconds=60)
    members = {"a": (good[0].url, 20.0), "b": (good[1].url, 20.0), "c": (hanging.url, 0.3)}
    path = panel(tmp_path, 'name = "judges"\nclasses = ["no", "yes"]\nrule = "vote"', members)
    assert main(["export", str(path), "--out", str(tmp_path / "bundle")]) == 0
    assert "Bundle of 3 models (a, b, c), rule vote" in capsys.readouterr().out
    with running(tmp_path / "bundle", environment={"PANEL_KEY": "sk-secret"}) as server:
        for text, answer in (("this is fine", "yes"), ("this is not", "no"), ("fine again", "yes")):
            parameters = ask(server, text)
            assert parameters["answer"] == [answer]
            assert parameters["quorum"] == [2]
        assert len(hanging.requests) == 2  # then the breaker leaves it alone
        assert server.get("/status").status == 200
    assert {request["messages"][0]["content"] for request in good[0].requests} >= {"Good? this is fine"}
    assert {headers["authorization"] for headers in good[0].headers} == {"Bearer sk-secret"}
    assert "sk-secret" not in server.log
    everything = [file.read_text("utf-8") for file in (tmp_path / "bundle").rglob("*") if file.is_file()]
    assert not any("sk-secret" in text for text in everything)


def test_columns_reach_the_prompt_by_name(serve: Any, tmp_path: Path) -> None:
    service = serve(lambda *_: completion("no"))
    head = (
        'name = "claims"\nclasses = ["no", "yes"]\nrule = "mean"\n'
        'columns = ["amount", { name = "site", kind = "category", categories = ["north", "south"] }]'
    )
    members = {"a": (service.url, 20.0), "b": (service.url, 20.0)}
    path = panel(tmp_path, head, members, prompt="{amount} at {site}")
    assert main(["export", str(path), "--out", str(tmp_path / "bundle")]) == 0
    bundle = open_bundle(tmp_path / "bundle")
    assert [column.name for column in bundle.manifest.columns] == ["amount", "site"]
    with running(tmp_path / "bundle", environment={"PANEL_KEY": "k"}) as server:
        tensors = [
            {"name": "amount", "shape": [1], "datatype": "FP64", "data": [12.5]},
            {"name": "site", "shape": [1], "datatype": "BYTES", "data": ["south"]},
        ]
        answer = server.infer({"inputs": tensors}, model="claims")
        assert answer.status == 200, answer.body
    assert {request["messages"][0]["content"] for request in service.requests} == {"12.5 at south"}


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        ('classes = ["no", "yes"]\nrule = "stacking"', "rule of [panel] in {} is 'stacking'; expected 'mean' or "),
        ('classes = ["no", "yes"]\ncolumns = "x"', "columns of [panel] in {} are 'x'; expected names, or tables "),
        ('classes = ["no", "yes"]\ncolumns = [{{ name = "x", kind = "category" }}]', "a column of [panel] in {} is "),
        ('classes = ["no", "yes"]\nquorum = 4', "quorum of [panel] in {} is 4; expected a whole number from 0 to 2."),
        (
            'classes = ["no", "yes"]\ncolumns = ["x"]',
            "member a of {}: the prompt has {{text}}, which no instance has; known: classes, columns, x.",
        ),
        ('task = "regression"', 'member a of {}: a choice in regression; expected a number; use kind = "score".'),
    ],
)
def test_a_panel_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str, sentence: str
) -> None:
    members = {"a": ("http://127.0.0.1:1", 1.0), "b": ("http://127.0.0.1:1", 1.0)}
    path = panel(tmp_path, head.format(), members)
    assert main(["export", str(path), "--out", str(tmp_path / "bundle")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert sentence.format(path) in lines[0]
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_with_another_specification_is_refused(tmp_path: Path) -> None:
    members = {"a": ("http://127.0.0.1:1", 1.0), "b": ("http://127.0.0.1:1", 1.0)}
    path = panel(tmp_path, 'classes = ["no", "yes"]', members)
    assert main(["export", str(path), "--out", str(tmp_path / "bundle")]) == 0
    manifest = tmp_path / "bundle" / "manifest.json"
    stored = json.loads(manifest.read_text(encoding="utf-8"))
    assert stored["members"][0]["remote"]["url"] == "http://127.0.0.1:1/v1/chat/completions"
    manifest.write_text(manifest.read_text("utf-8").replace("127.0.0.1:1/", "127.0.0.1:2/"), encoding="utf-8")
    with pytest.raises(OSError, match="was changed after the bundle was written"):
        open_bundle(tmp_path / "bundle")


def test_another_server_of_this_package_is_a_member(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path / "there", classes=3))
    numbers = stream(0, "remote").normal(size=(5, len(COLUMNS)))
    columns = {name: numbers[:, i] for i, name in enumerate(COLUMNS)}
    expected = bundle.predict(bundle.read_inputs({name: values.tolist() for name, values in columns.items()})).combined
    with running(tmp_path / "there") as server:
        url = f"http://127.0.0.1:{server.port}"
        spec = {"kind": "v2", "url": url, "model": "tiny", "output": "combined"}
        answer = RemoteMember(spec, bundle.manifest.classes).ask(columns)
        assert answer.reasons == ("",) * 5, answer.details
        assert np.abs(answer.probabilities - expected).max() < 1e-6
        absent = RemoteMember({**spec, "model": "absent"}, bundle.manifest.classes).ask(columns)
        assert (absent.reason, absent.details[0]) == ("status", "127.0.0.1 answered with status 404")
