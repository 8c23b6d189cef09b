"""Does `polyculture compress` say in a few lines what was gained, and leave a page and a run?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from polyculture.cli import main

for package in ("torch", "onnxruntime"):
    pytest.importorskip(package, reason=f"{package} is not installed")

RECIPES = """
[[recipe]]
architecture = "mlp"
optimizer = "adam"
hyperparameters = { epochs = 8 }
[[recipe]]
architecture = "mlp"
optimizer = "adam"
seed = 1
hyperparameters = { epochs = 8 }
"""


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two nets."""
    folder = tmp_path_factory.mktemp("nets")
    (folder / "nets.toml").write_text(RECIPES)
    words = ["run", "wine", "--shifts", "none", "--recipes", str(folder / "nets.toml"), "--workers", "1"]
    assert main([*words, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_terminal_has_the_answer_in_few_lines(nets: Path, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", str(nets), "--method", "half", "--out", "small"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("2 members, ")
    assert lines[-2:] == ["page  small/page.html", "next  polyculture export small"]
    assert len(lines) <= 12
    page = Path("small/page.html").read_text(encoding="utf-8")
    assert "2 members, " in page
    assert "polyculture export small" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_json_is_what_the_folder_keeps(nets: Path, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compress", str(nets), "--method", "half", "--out", "small", "--json"]) == 0
    text = capfd.readouterr().out
    assert json.loads(text) == json.loads(Path("small/compression.json").read_text(encoding="utf-8"))
    assert json.loads(text)["name"] == "compression"


def test_a_compressed_run_is_audited_selected_and_exported(
    nets: Path, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compress", str(nets), "--method", "half", "--out", "small"]) == 0
    assert main(["audit", "small", "--out", "audit"]) == 0
    assert main(["select", "small", "--out", "selected", "--members", "2", "--rule", "mean"]) == 0
    assert main(["export", "selected", "--out", "bundle"]) == 0
    manifest = json.loads(Path("bundle/manifest.json").read_text(encoding="utf-8"))
    assert {member["recipe"]["compression"] for member in manifest["members"]} == {"half"}
    assert main(["compress", "selected", "--method", "half", "--out", "twice"]) == 2
    assert "half" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--method int9", "no compression method 'int9'; did you mean 'int8'?"),
        ("--method fewer-trees", "the method 'fewer-trees' for a net; expected one of prune-weights, "),
        ("--method half --smaller 9", "no member becomes 9× smaller by half; expected "),
        ("--method half --churn lots", "churn is lots; expected a share between 0 and 1, such as 5% or 0.05."),
        ("", "no method; expected one or more, such as int8 or prune-channels=0.5; add --method or --search."),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    nets: Path, here: Path, capfd: pytest.CaptureFixture[str], words: str, line: str
) -> None:
    assert main(["compress", str(nets), *words.split(), "--out", "small"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert f"polyculture: {line}" in captured.err
    assert not Path("small").exists()


def test_help_explains_without_loading_what_compresses() -> None:
    code = "import sys; from polyculture.cli import main; main(['compress', '--help']); "
    code += "print({'torch', 'pandas', 'numpy', 'onnx', 'sklearn'} & {*sys.modules})"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert text.endswith("set()\n")
    for words in ("polyculture compress polyculture-run --method prune-channels=0.5+int8", "--search", "--into-one"):
        assert words in text
