"""Is bad input one line and exit code 2 with every command, and is no folder left of what was refused?"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.errors import FileError
from polyculture.studies.run_folder import writable_folder

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables with too little in them, and the folder of a run."""
    folder = tmp_path_factory.mktemp("refused")
    rows = pd.DataFrame([{"a": k % 2 * 3 + k / 40, "b": k / 10, "y": "yn"[k % 2]} for k in range(40)])
    rows.to_csv(folder / "full.csv", index=False)
    rows.assign(y=rows["y"].where(rows.index < 10)).to_csv(folder / "pool.csv", index=False)
    rows.assign(y=None).to_csv(folder / "unlabelled.csv", index=False)
    rows.assign(y=rows["y"].where(rows["y"] == "y")).to_csv(folder / "one-class.csv", index=False)
    rows[["y", "a"]].to_csv(folder / "one-worker.csv", index=False)
    rows[["y"]].assign(label=rows["y"], m1=rows["y"], m2="y").to_csv(folder / "answers.csv", index=False)
    rows[["y"]].rename(columns={"y": "label"}).assign(m1="y").to_csv(folder / "one-model.csv", index=False)
    (folder / "empty.csv").write_text("")
    (folder / "garbage.csv").write_bytes(bytes(range(256)) * 8)
    recipes = [pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")]
    problem = pc.load_problem("iris", 0, pc.DataOptions(shifts=()))
    pc.run(problem, pc.RunOptions(recipes=recipes, workers=1), out=folder / "run")
    return folder


REFUSED = (
    ("clean digits --apply duplicate", "a problem by name has no file"),
    ("clean unlabelled.csv", "holds no instance"),
    ("clean empty.csv", "is empty"),
    ("clean garbage.csv", "holds binary data"),
    ("clean nowhere.csv", "no such file"),
    ("clean full.csv --mask phone=hide", "the mask 'phone=hide'"),
    ("clean full.csv --mask c=hash --key keys/secret", "no field 'c' to hide"),
    ("clean full.csv --mask y=hash", "the label 'y' as a field to hide"),
    ("clean full.csv --mask a=drop --mask b=drop", "no column of full is left"),
    ("clean digits --mask e-mail=mask", "is of the kind image"),
    ("run full.csv --mask c=hash", "no field 'c' to hide"),
    ("run digits --clean --mask phone=drop", "is of the kind image"),
    ("run iris --recipes nowhere.toml", "cannot read nowhere.toml"),
    ("federate iris --clients 1", "1 clients; expected 2 or more"),
    ("federate iris --partition quarters", "no partition 'quarters'"),
    ("federate iris --clients 2 --partition dirichlet:x", "'dirichlet:x'"),
    ("federate iris --clients 2 --partition labels:9", "labels:9"),
    ("federate iris --clients 2 --architecture forest", "no weights that can be averaged"),
    ("federate iris --clients 2 --rate -1", "-1"),
    ("federate diabetes", "a federation for regression"),
    ("query full.csv", "without a label"),
    ("query unlabelled.csv", "labels of 0 classes"),
    ("query one-class.csv", "labels of 1 class "),
    ("query pool.csv --strategy entropie", "did you mean 'entropy'"),
    ("query pool.csv --budget 0", "budget of a query is 0"),
    ("query garbage.csv", "holds binary data"),
    ("query diabetes --simulate", "regression"),
    ("crowd one-worker.csv --item y", "has 1 column of labels"),
    ("crowd garbage.csv", "holds binary data"),
    ("crowd answers.csv --method votes", "no method 'votes'"),
    ("panel one-model.csv", "expected two models or more"),
    ("panel answers.csv --scale ordinary", "the scale 'ordinary'"),
    ("panel answers.csv --prices nowhere.csv", "no such file"),
    ("audit one-model.csv", "expected two models or more"),
    ("compare answers.csv garbage.csv", "holds binary data"),
    ("scaling answers.csv", "no model column 'parameters'"),
    ("select answers.csv --values", "expected numbers"),
    ("select answers.csv -k 9", "9 members out of"),
    ("select answers.csv --rule votes", "did you mean 'vote'"),
    ("explain run --method lime-tree", "did you mean 'lime'"),
    ("explain run --instances 0", "instances of an explanation is 0"),
    ("compress run --method int9", "did you mean 'int8'"),
    ("compress run --method prune-channels=0.5", "for a scikit-learn estimator"),
    ("compress run --into-one", "into one"),
    ("ablate iris --levels dropouts", "did you mean 'dropout'"),
    ("ablate diabetes", "whose labels are numbers"),
    ("evolve diabetes", "whose labels are numbers"),
    ("evolve iris --budget 0", "a budget of 0"),
    ("design nowhere.toml", "cannot read nowhere.toml"),
    ("export run/predictions", "cannot read"),
    ("judge nowhere.toml items.jsonl", "cannot read items.jsonl"),
)


@pytest.mark.parametrize(("words", "line"), REFUSED, ids=[words for words, _ in REFUSED])
def test_what_is_refused_is_one_line_and_leaves_no_folder(
    files: Path, words: str, line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    before = set(files.iterdir())
    assert main([*words.split(), "--out", "new/folder"]) == 2
    err = capfd.readouterr().err
    sentence = err.strip().splitlines()[-1]
    assert sentence.startswith("polyculture: ")
    assert line in sentence
    assert "Traceback" not in err
    assert set(files.iterdir()) == before


def test_a_folder_that_is_there_stays(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert main(["clean", "digits", "--apply", "duplicate", "--out", str(tmp_path)]) == 2
    assert capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_with_nothing_left_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"cannot write to .*; expected a folder that can be written; name another"):
        writable_folder(tmp_path / "file" / "folder")
    assert writable_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
