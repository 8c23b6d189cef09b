"""Does every command end as it says: in a page, or in one line that tells what was wrong?"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command

from polyculture import __version__, read
from polyculture.cli import app, main
from polyculture.cli.application import VERBS
from polyculture.recipe import Recipe
from polyculture.results import Audit

WIDE = "instance,label,site,a,b,c\n" + "".join(
    f"i{i},{i % 3},{i // 4},{i % 3 if i % 5 else 9},{i % 3 if i % 4 else 9},{i % 2}\n" for i in range(60)
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with one good table."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(WIDE)
    Path("bad.toml").write_text('[[recipe]]\narchitecture = "knnn"\n')
    return tmp_path


@pytest.fixture
def polyculture(here, capfd):
    """Run a command in this process: exit code, stdout, stderr."""

    def command(*words):
        code = main([str(word) for word in words])
        return code, *capfd.readouterr()

    return command


def shell(*words, **options):
    """Run a command as a shell does."""
    command = [sys.executable, "-m", "polyculture.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def test_help_tells_what_it_is_for_and_the_way_from_training_to_a_choice(polyculture):
    code, out, err = polyculture("--help")
    assert (code, err) == (0, "")
    assert "How alike is a set of models?" in out
    assert "run, audit, ablate, evolve and select end in one self-contained HTML page" in " ".join(out.split())
    shown = re.findall(r"^ +polyculture (\w+)\b", out, re.MULTILINE)
    assert shown == ["run", "audit", "panel", "select", "compress", "ablate", "evolve"]


def test_help_lists_the_commands_in_the_order_of_use_each_in_one_whole_line(polyculture):
    lines = polyculture("--help")[1].rpartition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(VERBS)
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...")]
    known = get_command(app)
    assert set(known.commands) == set(VERBS)
    assert all(0 < len(one.short_help) <= 60 for one in known.commands.values())
    assert all(line.endswith(known.commands[verb].short_help) for verb, line in zip(VERBS, lines, strict=True))


def test_no_command_is_answered_with_the_help(polyculture):
    assert polyculture() == polyculture("--help")


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_has_help(verb, polyculture):
    code, out, err = polyculture(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: polyculture {verb}")
    assert f"\n    polyculture {verb} " in out


@pytest.mark.parametrize(("old", "new"), [("levers", "ablate"), ("breed", "evolve")])
def test_old_words_run_and_name_the_new_one(old, new, polyculture):
    code, out, err = polyculture(old, "--help")
    assert (code, out) == polyculture(new, "--help")[:2]
    assert err == f"polyculture: {old} is now called {new}\n"


def test_version(polyculture):
    assert polyculture("--version") == (0, f"polyculture {__version__}\n", "")


def test_help_loads_nothing_heavy():
    code = """
import sys
from polyculture.cli import main
main(["--help"])
heavy = {"torch", "sklearn", "scipy", "numpy", "pandas", "pyarrow", "vl_convert", "jinja2", "rich"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else 0)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_audit_ends_in_a_page_and_a_stored_audit(polyculture, here):
    code, out, err = polyculture("audit", "t.csv", "--models", "[a-c]", "--cluster", "site")
    assert (code, err) == (0, "")
    stored = Audit.from_json((here / "polyculture-audit" / "audit.json").read_text())
    assert (stored.n_models, stored.n_instances) == (3, 60)
    assert stored.facts["clusters"] == "site"
    page = (here / "polyculture-audit" / "page.html").read_text()
    assert stored.sentence.rstrip(".") in page
    assert out.splitlines()[-3:] == [
        stored.sentence,
        "page  polyculture-audit/page.html",
        "next  polyculture report polyculture-audit --out page-to-share.html",
    ]


def test_json_is_all_that_there_is_on_stdout(polyculture):
    code, out, err = polyculture("audit", "t.csv", "--models", "[a-c]", "--json", "--out", "x")
    assert code == 0
    assert json.loads(out)["kind"] == "polyculture.audit"
    assert Path("x/audit.json").read_text() == out.strip()
    assert "page  x/page.html" in err


def test_audit_takes_every_option(polyculture, here):
    Path("o.csv").write_text("key,topic,m1,m2,m3,note\nx,u,1,1,0,q\ny,u,0,1,0,q\nz,v,1,1,0,q\n")
    Path("f.csv").write_text("model,family\nm1,x\nm2,x\nm3,y\n")
    code, _, err = polyculture(
        *("audit", "o.csv", "--instance", "key", "--models", "m1", "--models", "m[23]", "--correct"),
        *("--cluster", "topic", "--factors", "f.csv", "--out", "deep/er"),
    )
    assert (code, err) == (0, "")
    stored = Audit.from_json(Path("deep/er/audit.json").read_text())
    assert (stored.n_models, stored.n_instances) == (3, 3)
    assert stored.leaderboard.table.set_index("model")["family"].to_dict() == {"m1": "x", "m2": "x", "m3": "y"}


def test_models_without_an_error_are_no_error(polyculture):
    Path("p.csv").write_text("label,a,b\n" + "1,1,1\n0,0,0\n" * 9)
    code, out, err = polyculture("audit", "p.csv")
    assert (code, err) == (0, "")
    stored = Audit.from_json(Path("polyculture-audit/audit.json").read_text())
    assert not stored.n_eff.defined
    assert stored.n_eff.reason
    sentence = " ".join(out.split("\npage  ")[0].split())
    assert sentence.endswith(f"2 models; how many they fail like is undefined ({stored.n_eff.reason}).")


def test_report_makes_the_page_of_a_stored_audit_again(polyculture):
    polyculture("audit", "t.csv", "--models", "[a-c]")
    first = Path("polyculture-audit/page.html").read_bytes()
    Path("polyculture-audit/page.html").unlink()
    for words in (["polyculture-audit"], ["polyculture-audit/audit.json", "--out", "new/p.html"]):
        code, out, err = polyculture("report", *words)
        assert (code, err) == (0, "")
        page = out.splitlines()[-2].removeprefix("page  ")
        assert out.splitlines()[-1] == "next  polyculture select --help"
        assert Path(page).read_bytes() == first


LABELS = "label, labels, target, truth, ground_truth, gold, y_true, y, true, reference, references"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            "audit none.csv",
            "no such file: none.csv; expected .csv, .csv.gz, .tsv, .parquet, .jsonl, .arrow or .feather, "
            "or a Predictions folder; "
            "check the path.",
        ),
        (
            "audit t.csv --label lable --models [a-c]",
            "t.csv has no column 'lable'; expected a column to use as label; did you mean 'label'?",
        ),
        (
            "audit t.csv --cluster sites",
            "t.csv has no column 'sites'; expected a column to use as group; did you mean 'site'?",
        ),
        (
            "audit t.csv --models a",
            "1 model: 'a'; expected two models or more; similarity is measured between models.",
        ),
        (
            "audit t.csv --out t.csv/x",
            "cannot write to t.csv/x: Not a directory; expected a folder that can be written; name another with --out.",
        ),
        (
            "report t.csv --out t.csv/x/page.html",
            "t.csv: not JSON: Expecting value: line 1 column 1 (char 0); expected an audit written by polyculture.",
        ),
        (
            "report none",
            "cannot read none: No such file or directory; expected the audit.json that run and audit write.",
        ),
        (
            "report .",
            "cannot read audit.json: No such file or directory; expected the audit.json that run and audit write.",
        ),
        ("run nodigits --out x", "no problem 'nodigits'; did you mean 'digits' or 'iris' or 'diabetes'?"),
        ("run --models 1 --out x", "1 models; expected 2 to 135."),
        (
            "run --out t.csv/x",
            "cannot write to t.csv/x: Not a directory; expected a folder that can be written; name another with --out.",
        ),
        ("run wine --seconds -1", "-1.0 seconds; expected more than 0."),
        ("run wine --workers 0", "0 workers; expected 1 or more."),
        ("run wine --engine spark", "no engine 'spark'; expected one of auto, ray; known: auto, ray."),
        ("run wine --limit 0", "a limit of 0 instances; expected 1 or more."),
        ("run wine --window 0", "a window of 0 and a horizon of 1 steps; expected 1 or more of each."),
        ("run wine --recipes bad.toml", "no architecture 'knnn'; did you mean 'knn' or 'rnn'?"),
        ("ablate nodigits --workers 0", "0 workers; expected 1 or more."),
        ("ablate nodigits --replicates 2", "2 replicates; expected 3 or more; name more with --replicates."),
        ("evolve nodigits --workers 0", "0 workers; expected 1 or more."),
        (
            "evolve nodigits --budget 8",
            "16 first models and a budget of 8; expected 2 or more, within the budget; give a budget of 16 or more "
            "(--budget), or begin with fewer (--first).",
        ),
        (
            "evolve nodigits --axes bad.toml",
            'bad.toml has no [axes] table of lists; expected lines such as architecture = ["mlp", "lenet"].',
        ),
        ("audit", "Missing argument 'PATH...'; see polyculture audit --help."),
        ("audit t.csv --models", "Option '--models' requires an argument; see polyculture --help."),
        ("frob", "No such command 'frob'; see polyculture --help."),
    ],
)
def test_wrong_input_is_answered_in_one_line(words, line, polyculture):
    assert polyculture(*words.split()) == (2, "", f"polyculture: {line}\n")


def test_evolution_without_optuna_says_what_to_install_before_anything_is_trained(polyculture, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    line = "polyculture: the package 'optuna' is not installed; pip install \"polyculture[search]\".\n"
    assert polyculture("evolve", "nodigits") == (2, "", line)


@pytest.mark.parametrize("verb", ["run", "design", "ablate", "evolve", "audit t.csv", "scaling t.csv", "select t.csv"])
def test_a_seed_below_zero_is_answered_in_one_line(verb, polyculture):
    code, out, err = polyculture(*verb.split(), "--seed", "-1")
    assert (code, out) == (2, "")
    name = verb.split()[0]
    assert re.fullmatch(rf"polyculture: Invalid value for '--seed': .*; see polyculture {name} --help\.\n", err)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("empty.csv", b"", "empty.csv is empty; expected a table with a header and one row per instance."),
        (
            "nolabel.csv",
            b"instance,a,b\n0,cat,dog\n",
            f"nolabel.csv has no label column (its columns: instance, a, b); expected one called {LABELS}; "
            "name the column of true answers with label (--label); if a row is one answer, name its columns with "
            "model, answer and instance (--model, --answer, --instance).",
        ),
        (
            "twice.csv",
            b"instance,label,a,b\nx,1,1,1\nx,1,1,1\n",
            "1 instance id occurs more than once, such as 'x'; expected one row per instance; "
            "drop the repeated instances or give them ids of their own.",
        ),
        (
            "floats.csv",
            b"label,a,b\n1,0.7,1\n0,0.2,1\n",
            "model column 'a' holds fractions such as 0.7; expected answers: integers, strings or booleans; "
            "turn scores into answers first, or leave the column out; numbers that are answers need the rule numeric "
            "(--normalize numeric), versions categorical (--categorical).",
        ),
        (
            "lengths.csv",
            b"label,a,b\n1,1,1\n0,0\n",
            "line 3 of lengths.csv has 2 cells but the header has 3; "
            "expected the same number of cells in every row; cells that contain the separator in quotes; "
            "mend the line, or leave such lines out with skip_bad=True (--skip-bad).",
        ),
        (
            "cut.parquet",
            b"PAR1 and no more",
            "cut.parquet is not a complete Parquet file: it ends too early; copy or write it again.",
        ),
        (
            "garbage.csv",
            bytes(range(256)),
            "garbage.csv holds binary data, not a table; "
            "expected .csv, .csv.gz, .tsv, .parquet, .jsonl, .arrow or .feather, text in UTF-8.",
        ),
    ],
)
def test_wrong_file_is_answered_in_one_line(name, content, line, polyculture):
    Path(name).write_bytes(content)
    assert polyculture("audit", name) == (2, "", f"polyculture: {line}\n")
    assert not Path("polyculture-audit").exists()


def test_a_folder_without_answers_is_answered_in_one_line(polyculture):
    Path("empty").mkdir()
    assert polyculture("audit", "empty") == (
        2,
        "",
        "polyculture: empty is a folder without answers.parquet, logs or tables; expected a Predictions folder, "
        "logs of an evaluation tool, npy files, or tables "
        "(.csv, .csv.gz, .tsv, .parquet, .jsonl, .arrow or .feather).\n",
    )


@pytest.mark.parametrize("content", ["{}", '{"kind": "polyculture.audit", "format": 1}', "[1]", "\xff"])
def test_a_file_that_is_no_audit_is_answered_in_one_line(content, polyculture):
    Path("bad.json").write_bytes(content.encode("latin1"))
    code, out, err = polyculture("report", "bad.json")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"polyculture: bad\.json.*(written by polyculture|run and audit write)\.\n", err)


def test_the_shell_sees_the_exit_codes(here):
    assert shell("--version").returncode == 0
    ended = shell("audit", "none.csv")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)


def test_the_installed_command_is_the_same(here):
    script = Path(sys.executable).with_name("polyculture")
    ended = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, f"polyculture {__version__}\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_an_interrupt_is_answered_in_one_line(here):
    os.mkfifo("slow.csv")
    command = [sys.executable, "-m", "polyculture.cli", "audit", "slow.csv"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with Path("slow.csv").open("w"):  # opens as soon as the command waits for what is in it
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err == "polyculture: stopped; run the same command again to go on.\n"


def test_a_reader_who_has_seen_enough_is_no_error(here):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "polyculture.cli", "audit", "t.csv", "--models", "[a-c]", "--json"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert "Traceback" not in ended.stderr
    assert "Broken pipe" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_answered_in_one_line(here):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "polyculture.cli", "audit", "t.csv", "--models", "[a-c]"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, "polyculture: [Errno 28] No space left on device.\n")


def test_an_unexpected_exception_keeps_its_traceback(here, polyculture, monkeypatch):
    monkeypatch.setattr("polyculture.studies.audited_sources.align", None)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        polyculture("audit", "t.csv")


@pytest.mark.slow
def test_run_trains_audits_and_is_resumed_with_the_same_numbers(polyculture):
    words = ["run", "--models", "3", "--seed", "1", "--out", "r", "--workers", "1"]
    code, out, err = polyculture(*words)
    assert code == 0
    assert "3/3" in err
    first = Audit.from_json(Path("r/audit.json").read_text())
    assert out.splitlines()[-5] == first.sentence
    assert first.n_models == 3
    assert len(first.shifts) > 0
    assert first.sentence.rstrip(".") in Path("r/page.html").read_text()
    stored = read("r/predictions")
    assert stored.probabilities.shape == (3, first.n_instances, 10)
    weights = {p: p.stat().st_mtime_ns for p in Path("r/models").rglob("weights.*")}
    assert len(weights) == 3
    assert polyculture(*words)[0] == 0
    assert {p: p.stat().st_mtime_ns for p in Path("r/models").rglob("weights.*")} == weights
    assert Audit.from_json(Path("r/audit.json").read_text()).sentence == first.sentence
    assert polyculture("audit", "r/predictions", "--seed", "1")[0] == 0
    assert Audit.from_json(Path("polyculture-audit/audit.json").read_text()).sentence == first.sentence


@pytest.mark.slow
def test_run_ends_with_1_when_a_model_could_not_be_trained(polyculture, monkeypatch):
    recipes = [Recipe("knn"), Recipe("logistic"), Recipe("svm", hyperparameters={"C": -1.0})]
    monkeypatch.setattr("polyculture.studies.training_run.default_design", lambda problem, models, seed: recipes)
    code, out, err = polyculture("run", "--out", "r", "--workers", "1")
    assert code == 1
    assert out.splitlines()[-5].startswith("2 models; ")
    assert re.search(r"^polyculture: svm.* could not be trained and is left out: .", err, re.MULTILINE)


@pytest.mark.slow
def test_ctrl_c_while_training_is_one_line_and_keeps_what_is_finished(here):
    command = [sys.executable, "-m", "polyculture.cli", "run", "digits", "--out", "r"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    with subprocess.Popen(command, **options) as process:
        finished = []
        while len(finished) < 2 and process.poll() is None:
            time.sleep(0.1)
            finished = [p for p in Path("r/models").glob("*") if not p.name.startswith(".")]
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "polyculture: stopped; run the same command again to go on."
    assert all((p / "recipe.json").is_file() for p in finished)
