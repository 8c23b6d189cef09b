"""compare, scaling, design and what audit takes beside the table: each from the shell's side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.cli import main
from polyculture.results import Audit
from polyculture.testing import copying_errors

HARD = 30


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two tables on the same instances: loose.csv independent, tight.csv of two kinds of models."""
    monkeypatch.chdir(tmp_path)
    labels = np.arange(400) % 2
    for name, sizes, seed in (("loose", (1, 1, 1, 1), 1), ("tight", (2, 2), 2)):
        wrong = copying_errors(sizes, 400, seed=seed)
        wrong[:, :HARD] = True
        table = pd.DataFrame({f"{name}{i}": labels ^ row for i, row in enumerate(wrong)})
        table.insert(0, "instance", [f"i{k}" for k in range(400)])
        table.insert(1, "label", labels)
        table["site"] = np.where(np.arange(400) < HARD, "north", "south")
        table["level"] = np.where(np.arange(400) < HARD, 2, 1)
        table.to_csv(f"{name}.csv", index=False)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), err


def test_compare_says_which_set_is_more_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "compare", "loose.csv", "tight.csv", "--models", "*[0-3]")
    assert code == 0
    assert "the second set is more alike in errors than the first" in out
    assert "next polyculture audit tight.csv" in out


def test_compare_and_scaling_tell_what_every_column_is_taken_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("loose", "tight"):
        frame = pd.read_csv(f"{name}.csv").drop(columns=["site", "level"])
        frame.melt(["instance", "label"], var_name="model", value_name="prediction").to_csv(f"{name}.csv", index=False)
    roles = "columns: model = model, answer = prediction, label = label, instance = instance."
    code, out, _ = said(capsys, "compare", "loose.csv", "tight.csv")
    assert (code, out.count(roles)) == (0, 2)
    pd.DataFrame({"model": [f"loose{i}" for i in range(4)], "parameters": range(1, 5)}).to_csv("m.csv", index=False)
    code, out, _ = said(capsys, "scaling", "loose.csv", "--factors", "m.csv")
    assert (code, out.count(roles)) == (0, 1)


def test_compare_prints_json_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "compare", "loose.csv", "loose.csv", "--models", "loose*", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["numbers"]["rho_change"]["estimate"] == 0
    assert found["kind"] == "polyculture.chapter"


def test_groups_and_outside_difficulty_come_from_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = said(
        capsys, "audit", "loose.csv", "--models", "loose*", "--group", "site", "--strata", "level", "--out", "a"
    )
    audit = Audit.from_json((folder / "a" / "audit.json").read_text())
    assert code == 0
    assert audit.null_model("N2").n_eff.estimate > 1.5 * audit.null_model("N1").n_eff.estimate
    north = audit.section("groups").tables["groups"].set_index("group").loc["north"]
    assert north["all_wrong"] == 1
    assert north["q"] < 0.001


def test_outside_models_tell_difficulty_and_are_not_audited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = said(capsys, "audit", "loose.csv", "--models", "loose*", "--outside", "loose3", "--out", "a")
    audit = Audit.from_json((folder / "a" / "audit.json").read_text())
    assert code == 0
    assert audit.n_models == 3
    assert audit.null_model("N2").n_eff.estimate > audit.null_model("N1").n_eff.estimate


def test_verdicts_take_instances_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"i{k},0" for k in range(HARD)] + ["i399,0.8"]
    Path("verdicts.csv").write_text("instance,valid\n" + "\n".join(rows) + "\n")
    code, _, _ = said(capsys, "audit", "loose.csv", "--models", "loose*", "--verdicts", "verdicts.csv", "--out", "a")
    audit = Audit.from_json((folder / "a" / "audit.json").read_text())
    assert code == 0
    assert audit.n_instances == 400 - HARD
    assert audit.n_eff.high > 3.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "instance,verdict\ni1,1\n",
            "verdicts.csv lacks rows or a column; expected a CSV with the columns instance and valid.",
        ),
        (
            "instance,valid\ni1,yes\n",
            "verdicts.csv, line 2: valid is 'yes'; expected the probability that the label is valid, 0 to 1.",
        ),
        ("instance,valid\ni999,0\n", "a verdict on the unknown instance 'i999'; did you mean 'i99'"),
        (
            "instance,valid\ni1,7\n",
            "verdict 7.0 on instance 'i1'; expected the probability that its label is valid, 0 … 1.",
        ),
    ],
)
def test_verdicts_that_cannot_be_used_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    Path("verdicts.csv").write_text(text)
    code, _, err = said(capsys, "audit", "loose.csv", "--models", "loose*", "--verdicts", "verdicts.csv")
    assert code == 2
    assert err.startswith(f"polyculture: {message}")
    assert err.count("\n") == 1


def test_a_missing_verdict_file_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "audit", "loose.csv", "--models", "loose*", "--verdicts", "none.csv")
    assert code == 2
    assert err.startswith("polyculture: cannot read none.csv: ")


def test_tables_without_a_common_instance_cannot_be_compared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv("loose.csv")
    table["instance"] = "x" + table["instance"]
    table.to_csv("other.csv", index=False)
    code, _, err = said(capsys, "compare", "loose.csv", "other.csv", "--models", "loose*")
    assert code == 2
    assert err.startswith(
        "polyculture: the two tables have 0 instances in common; expected the same instances in both;"
    )


def test_design_says_what_can_be_told_and_writes_recipes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("axes.toml").write_text(
        '[axes]\narchitecture = ["mlp", "knn"]\ndata = ["half-a", "half-b"]\nseed = [0, 1, 2]\n'
    )
    code, out, _ = said(capsys, "design", "axes.toml", "--kind", "full", "--out", "recipes.toml")
    assert code == 0
    expected = "12 models; a share of alikeness can be estimated for architecture, data, seed."
    assert out.startswith(f"Which factors can this design identify? {expected}")
    assert Path("recipes.toml").read_text().count("[[recipe]]") == 12
    assert out.endswith("next polyculture run digits --recipes recipes.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "axes.toml is not TOML: "),
        ("[axis]\n", "axes.toml has no [axes] table of lists; expected lines such as architecture = "),
        (
            "[axes]\narchitecture = 3\n",
            "axes.toml has no [axes] table of lists; expected lines such as architecture = ",
        ),
    ],
)
def test_axes_that_cannot_be_used_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    Path("axes.toml").write_text(text)
    code, _, err = said(capsys, "design", "axes.toml")
    assert code == 2
    assert err.startswith(f"polyculture: {message}")


def test_a_missing_axes_file_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "design", "none.toml")
    assert code == 2
    assert err.startswith("polyculture: cannot read none.toml: ")


def test_a_table_larger_than_memory_is_streamed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv("loose.csv").drop(columns=["site", "level"]).to_parquet("loose.parquet")
    assert said(capsys, "audit", "loose.parquet", "--out", "whole")[0] == 0
    assert said(capsys, "audit", "loose.parquet", "--stream", "--out", "parts")[0] == 0
    whole, parts = (Audit.from_json((folder / name / "audit.json").read_text()) for name in ("whole", "parts"))
    assert parts.sentence == whole.sentence
    assert parts.pairwise.frame().equals(whole.pairwise.frame())
    code, _, err = said(capsys, "audit", "loose.parquet", "loose.csv", "--stream")
    assert code == 2
    assert err == "polyculture: 2 paths with --stream; expected one Parquet file, or one folder of them.\n"
    code, _, err = said(capsys, "audit", "loose.parquet", "--engine", "ray")
    assert code == 2
    assert err.startswith("polyculture: --engine ray without --stream; expected --stream")


@pytest.mark.slow
def test_run_trains_every_combination_of_axes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("axes.toml").write_text('[axes]\narchitecture = ["knn", "logistic"]\ndata = ["half-a", "half-b"]\n')
    code, _, _ = said(capsys, "run", "digits", "--recipes", "axes.toml", "--out", "r", "--workers", "1")
    assert code == 0
    assert Audit.from_json(Path("r/audit.json").read_text()).n_models == 4


def test_scaling_tells_of_ability_and_of_alikeness(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1e6, 1e9, 10)
    right = {f"s{i}": (rng.random(600) > 0.5 * (1e6 / s) ** 0.2).astype(int) for i, s in enumerate(sizes)}
    pd.DataFrame({"instance": range(600), "label": 1, **right}).to_csv("t.csv", index=False)
    pd.DataFrame({"model": list(right), "parameters": sizes}).to_csv("models.csv", index=False)
    code, out, _ = said(capsys, "scaling", "t.csv", "--factors", "models.csv", "--json")
    assert code == 0
    assert [section["name"] for section in json.loads(out)] == ["scaling", "homogenization"]


def test_audit_follows_a_scale_on_its_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"model": [f"loose{i}" for i in range(4)], "parameters": [1e6, 1e7, 1e8, 1e9]}).to_csv(
        "m.csv", index=False
    )
    words = ["audit", "loose.csv", "--models", "loose*", "--factors", "m.csv", "--scale", "parameters", "--out", "a"]
    assert said(capsys, *words)[0] == 0
    told = [c.name for c in Audit.from_json((folder / "a" / "audit.json").read_text()).sections]
    assert {"scaling", "similarity_by_scale"} <= set(told)


@pytest.mark.parametrize(
    ("rule", "value"),
    [("--threshold", "0.5"), ("--normalize", "numeric"), ("--metric", "acc"), ("--filter", "none"), ("--unify", "")],
)
def test_rules_of_reading_are_refused_with_shards(
    folder: Path, capsys: pytest.CaptureFixture[str], rule: str, value: str
) -> None:
    pd.read_csv("loose.csv").to_parquet("loose.parquet")
    code, _, err = said(capsys, "audit", "loose.parquet", "--models", "loose*", "--stream", rule, *value.split())
    assert code == 2
    assert err == (f"polyculture: {rule} with --stream, which takes answers as they are; leave one of the two out.\n")
    assert not (folder / "polyculture-audit").exists()


def test_numbers_within_conditions_are_a_section(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "audit", "loose.csv", "--models", "loose*", "--within", "site", "--out", "a")
    assert code == 0
    assert "How alike are they within each condition? Within the 2 values of site" in out
    assert (folder / "a" / "index.html").exists() or any((folder / "a").glob("*.html"))


def test_another_similarity_is_attributed_by_name_or_from_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"m{k}" for k in range(12)]
    wrong = copying_errors((3, 3, 3, 3), 400, seed=3)
    table = pd.DataFrame({name: 1 - row.astype(int) for name, row in zip(names, wrong, strict=True)})
    table.to_csv("twelve.csv", index=False)
    pd.DataFrame({"model": names, "family": np.repeat(list("abcd"), 3)}).to_csv("factors.csv", index=False)
    pd.DataFrame(np.corrcoef(wrong), names, names).to_csv("phi.csv")
    for similarity, name in (("kappa", "mean kappa"), ("phi.csv", "mean given similarity")):
        words = [
            "audit",
            "twelve.csv",
            "--correct",
            "--factors",
            "factors.csv",
            "--similarity",
            similarity,
            "--out",
            "a",
        ]
        code, out, _ = said(capsys, *words)
        assert code == 0
        assert f"Of the {name} = " in out
    code, _, err = said(capsys, *words[:6], "absent.csv", "--out", "a")
    assert code == 2
    assert err == (
        "polyculture: absent.csv is no table: No such file or directory; expected a CSV with a row and a column per "
        "model.\n"
    )


def test_scaling_reads_by_the_rules_that_were_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["scaling", "loose.csv", "--models", "loose*", "--scale", "size", "--threshold", "nan"]
    code, _, err = said(capsys, *words)
    assert code == 2
    assert err == "polyculture: the threshold is nan; expected a finite number.\n"
