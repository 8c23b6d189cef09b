"""Does every damaged file end in a result or in one line, never in a traceback? Random mutations of good inputs."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from polyculture.cli import main
from polyculture.formats import read, write

MUTATIONS = 2000
ITEMS = 12
TRUTH = [k % 3 for k in range(ITEMS)]
ANSWERS = {
    "org/ann-7b": TRUTH,
    "bob": [(k + (n % 4 == 0)) % 3 for n, k in enumerate(TRUTH)],
    "cem": [0] * ITEMS,
}
WORDS = ("one", "two", "three")
Files = dict[str, bytes]


def records() -> list[dict[str, Any]]:
    return [
        {"item": f"q{n}", "model": model, "answer": WORDS[k], "label": WORDS[TRUTH[n]], "correct": int(k == TRUTH[n])}
        for model, answers in ANSWERS.items()
        for n, k in enumerate(answers)
    ]


def csv(rows: list[list[Any]]) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in rows).encode() + b"\n"


def wide_csv() -> Files:
    rows = [[f"q{n}", TRUTH[n], *(a[n] for a in ANSWERS.values()), "ns"[n % 2]] for n in range(ITEMS)]
    return {"t.csv": csv([["instance", "label", *ANSWERS, "group"], *rows])}


def long_csv() -> Files:
    return {"t.csv": csv([list(records()[0]), *(list(record.values()) for record in records())])}


def numbers_csv() -> Files:
    rows = [[n, 1.5 * n + 0.25, *(n * 1.5 + k + 0.1 * (n % (k + 2)) for k in range(3))] for n in range(25)]
    return {"t.csv": csv([["id", "y", *ANSWERS], *rows])}


def graded_lines() -> Files:
    lines = [json.dumps({"q": {"id": r["item"]}, "who": r["model"], "ok": r["correct"] == 1}) for r in records()]
    return {"t.jsonl": "\n".join(lines).encode()}


def table_lines() -> Files:
    return {"t.jsonl": "\n".join(map(json.dumps, records())).encode()}


def json_table() -> Files:
    return {"t.json": json.dumps(records()).encode()}


def parquet() -> Files:
    file = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(records()), file)
    return {"t.parquet": file.getvalue()}


def lm_eval(model: str, choices: bool) -> bytes:
    lines = []
    for n, k in enumerate(ANSWERS[model]):
        scores = [["-0.5" if c == k else "-2.0", str(c == k)] for c in range(3)]
        said = f"It is #### {k}"
        document = {"question": f"Which is {n}?"} | ({"choices": WORDS, "answer": TRUTH[n]} if choices else {})
        arguments = {f"gen_args_{c}": {"arg_0": f"Which is {n}?", "arg_1": f" {WORDS[c]}"} for c in range(3)}
        sample = {"doc_id": n, "doc": document, "target": str(TRUTH[n])}
        sample |= {"arguments": arguments if choices else {"gen_args_0": {"arg_0": "?", "arg_1": {"until": ["\n"]}}}}
        sample |= {"resps": [[s] for s in scores] if choices else [[said]]}
        sample |= {"filtered_resps": scores if choices else [str(k)], "filter": "none" if choices else "strict"}
        metric = "acc" if choices else "exact_match"
        sample |= {"metrics": [metric], "doc_hash": f"{n:064x}", "prompt_hash": "ab", "target_hash": "cd"}
        lines.append(json.dumps(sample | {metric: float(k == TRUTH[n])}))
    return "\n".join(lines).encode()


def lm_eval_choices() -> Files:
    return {f"{m.replace('/', '__')}/samples_quiz_2026-01-01.jsonl": lm_eval(m, True) for m in ANSWERS}


def lm_eval_texts() -> Files:
    return {f"{m.replace('/', '__')}/samples_sums_2026-01-01.jsonl": lm_eval(m, False) for m in ANSWERS}


def inspect_parts(model: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header = {
        "version": 2,
        "status": "success",
        "eval": {"task": "quiz", "model": model, "created": "2026-01-01", "dataset": {"samples": ITEMS}, "config": {}},
        "plan": {"steps": [], "config": {}},
        "results": {"total_samples": ITEMS, "completed_samples": ITEMS, "scores": [{"name": "match"}]},
        "stats": {"model_usage": {}},
    }
    samples = []
    for n, k in enumerate(ANSWERS[model]):
        text = f"ANSWER: {WORDS[k]}"
        output = {
            "model": model,
            "choices": [{"message": {"content": text, "role": "assistant"}, "stop_reason": "stop"}],
        }
        score = {"value": "C" if k == TRUTH[n] else "I", "answer": WORDS[k], "explanation": text}
        sample = {"id": f"q{n}", "epoch": 1, "input": f"Which is {n}?", "target": WORDS[TRUTH[n]]}
        samples.append(sample | {"choices": WORDS, "output": output | {"completion": text}, "scores": {"match": score}})
    return header, samples


def inspect_json() -> Files:
    parts = {model: inspect_parts(model) for model in ANSWERS}
    return {f"log{n}.json": json.dumps(h | {"samples": s}).encode() for n, (h, s) in enumerate(parts.values())}


def inspect_eval() -> Files:
    files = {}
    for n, model in enumerate(ANSWERS):
        header, samples = inspect_parts(model)
        members = {f"samples/{s['id']}_epoch_1.json": json.dumps(s).encode() for s in samples}
        files[f"log{n}.eval"] = packed(members | {"header.json": json.dumps(header).encode()})
    return files


def packed(members: Files) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def helm() -> Files:
    files = {}
    for model, answers in ANSWERS.items():
        folder = f"suite/mmlu:model={model.replace('/', '_')}"
        states, statistics = [], []
        for n, k in enumerate(answers):
            choices = [{"output": {"text": w}, "tags": ["correct"] * (c == TRUTH[n])} for c, w in enumerate(WORDS)]
            instance = {"input": {"text": f"{n}?"}, "references": choices, "split": "test", "id": f"id{n}"}
            result = {"success": True, "completions": [{"text": "ABC"[k], "logprob": -1.0}]}
            state = {"instance": instance, "train_trial_index": 0, "request": {"prompt": f"{n}?"}, "result": result}
            states.append(state | {"output_mapping": dict(zip("ABC", WORDS, strict=True))})
            value = {
                "name": {"name": "exact_match", "split": "test"},
                "count": 1,
                "sum": 1.0,
                "mean": float(k == TRUTH[n]),
            }
            statistics.append({"instance_id": f"id{n}", "train_trial_index": 0, "stats": [value]})
        adapter = {"method": "multiple_choice_joint", "model": model}
        spec = {"name": "mmlu", "adapter_spec": adapter, "groups": ["mmlu"]}
        state = {"adapter_spec": adapter, "request_states": states}
        contents = {"run_spec": spec, "scenario_state": state, "per_instance_stats": statistics}
        files |= {f"{folder}/{name}.json": json.dumps(value).encode() for name, value in contents.items()}
    return files


def mlflow_tables() -> Files:
    names = ["inputs", "targets", "outputs", "exact_match/v1/score"]
    return {
        f"{model.replace('/', '_')}.json": json.dumps(
            {
                "columns": names,
                "data": [[f"{n}?", WORDS[TRUTH[n]], WORDS[k], int(k == TRUTH[n])] for n, k in enumerate(a)],
            }
        ).encode()
        for model, a in ANSWERS.items()
    }


def batch_lines() -> Files:
    def line(model: str, n: int, k: int) -> str:
        body = {"model": model, "choices": [{"message": {"content": WORDS[k]}, "finish_reason": "stop"}]}
        return json.dumps({"custom_id": f"q{n}", "response": {"status_code": 200, "body": body}, "error": None})

    files = {
        f"{m.replace('/', '_')}.jsonl": "\n".join(line(m, n, k) for n, k in enumerate(a)) for m, a in ANSWERS.items()
    }
    truth = csv([["instance", "label"], *([f"q{n}", WORDS[k]] for n, k in enumerate(TRUTH))])
    return {name: text.encode() for name, text in files.items()} | {"truth/truth.csv": truth}


def lighteval() -> Files:
    files = {}
    for model, answers in ANSWERS.items():
        rows = [
            {
                "example": f"Which is {n}?",
                "full_prompt": f"Q: Which is {n}?",
                "choices": list(WORDS),
                "gold_index": [TRUTH[n]],
                "predictions": [str([-0.1 if c == k else -3.0, c == k]) for c in range(3)],
                "metrics": {"acc": int(k == TRUTH[n])},
            }
            for n, k in enumerate(answers)
        ]
        date, file = "2025-01-01T10-00-00.000000", io.BytesIO()
        pa.parquet.write_table(pa.Table.from_pylist(rows), file)
        files[f"details/{model}/{date}/details_custom|quiz|0_{date}.parquet"] = file.getvalue()
    return files


def promptfoo() -> Files:
    results = [
        {
            "testIdx": n,
            "promptIdx": 0,
            "provider": {"id": f"openai:{model}", "label": model},
            "prompt": {"raw": "Which is {{n}}?", "label": "Which is {{n}}?"},
            "vars": {"n": str(n)},
            "response": {"output": WORDS[k]},
            "success": k == TRUTH[n],
            "score": float(k == TRUTH[n]),
            "namedScores": {"tone": 0.5},
            "failureReason": int(k != TRUTH[n]),
            "gradingResult": {"pass": k == TRUTH[n], "score": float(k == TRUTH[n]), "reason": ""},
        }
        for model, answers in ANSWERS.items()
        for n, k in enumerate(answers)
    ]
    summary = {"version": 3, "timestamp": "2026-01-01T00:00:00.000Z", "prompts": [], "results": results, "stats": {}}
    return {"results.json": json.dumps({"evalId": "eval-1", "results": summary, "config": {}}).encode()}


def trulens() -> Files:
    names = ["record_id", "app_name", "app_version", "app_id", "input", "output", "Relevance", "Relevance_calls"]
    rows = [
        [f"{m}-{n}", "rag", model, f"app_{m}", f"Which is {n}?", WORDS[k], round(1 - abs(k - TRUTH[n]) / 3, 2), "[]"]
        for m, (model, answers) in enumerate(ANSWERS.items())
        for n, k in enumerate(answers)
    ]
    return {"records.csv": csv([names, *rows])}


def preference_lines() -> Files:
    winners = ("model_a", "model_b", "tie")
    rows = [
        {"question_id": n, "model_a": "llama", "model_b": "alpaca", "winner": winners[k], "judge": judge, "turn": 1}
        for judge, answers in {"expert_0": TRUTH, **ANSWERS}.items()
        for n, k in enumerate(answers)
    ]
    return {"judgments.jsonl": "\n".join(map(json.dumps, rows)).encode()}


def alpaca_annotations() -> Files:
    files = {}
    for judge, answers in {"expert_0": TRUTH, **ANSWERS}.items():
        rows = [
            {"instruction": f"Do {n}", "generator_1": "gpt", "generator_2": "llama", "annotator": judge}
            | {"preference": round(1 + 0.4 * k + 0.01 * n, 2)}
            for n, k in enumerate(answers)
        ]
        files[f"{judge.replace('/', '_')}/annotations.json"] = json.dumps(rows).encode()
    return files


def truth_folder() -> Files:
    columns = {"solution": TRUTH, "sample_submission": [0] * ITEMS, **ANSWERS}
    return {
        f"{name.replace('/', '_')}.csv": csv([["PassengerId", "Survived"], *([n, k] for n, k in enumerate(column))])
        for name, column in columns.items()
    }


def text_folder() -> Files:
    columns = {"labels": TRUTH, **ANSWERS}
    return {f"{name.replace('/', '_')}.txt": "\n".join(WORDS[k] for k in c).encode() for name, c in columns.items()}


def packed_csv() -> Files:
    return {"t.csv.gz": gzip.compress(wide_csv()["t.csv"])}


def zipped_csv() -> Files:
    return {"t.csv.zip": packed(long_csv())}


def contents(folder: Path) -> Files:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def predictions_folder(tmp: Path) -> Files:
    tmp.joinpath("t.csv").write_bytes(wide_csv()["t.csv"])
    write(read(tmp / "t.csv", groups=["group"]), tmp / "folder")
    return contents(tmp / "folder")


def numbers_folder(tmp: Path) -> Files:
    tmp.joinpath("t.csv").write_bytes(numbers_csv()["t.csv"])
    write(read(tmp / "t.csv"), tmp / "folder")
    return contents(tmp / "folder")


FORMS: dict[str, Callable[..., Files]] = {
    f.__name__: f
    for f in (
        wide_csv,
        long_csv,
        numbers_csv,
        table_lines,
        graded_lines,
        batch_lines,
        json_table,
        parquet,
        lm_eval_choices,
        lm_eval_texts,
        inspect_json,
        inspect_eval,
        helm,
        mlflow_tables,
        lighteval,
        promptfoo,
        trulens,
        preference_lines,
        alpaca_annotations,
        truth_folder,
        text_folder,
        packed_csv,
        zipped_csv,
    )
}
FOLDERS: dict[str, Callable[[Path], Files]] = {f.__name__: f for f in (predictions_folder, numbers_folder)}
OPTIONS = {
    "batch_lines": ["--label", "truth/truth.csv"],
    "wide_csv": ["--group", "group"],
    "packed_csv": ["--group", "group"],
    "graded_lines": ["--fields", "instance=q.id", "--fields", "model=who", "--fields", "correct=ok"],
    "preference_lines": ["--label", "expert_*"],
    "alpaca_annotations": ["--label", "expert_*"],
}

VALUES: tuple[Any, ...] = (
    None, "", " ", 0, 1, -1, 2, 0.5, 1e308, float("nan"), float("inf"), 10**30, True, False, [], {}, [[]], [None],
    {"a": 1}, "nan", "NA", "None", "null", "inf", "1e400", "-0", "01", "1.0", "3,5", "yes", "ü", "\x1b[2J", "a\nb", '"',
    "'", "[red]", "x" * 5000, "\u202e", "\ud800", "\x00", "label", "model", "C", "I", "A", "2026-01-01", "{}", "[1, 2]",
    "1/0", ["a", "b"],
)  # fmt: skip
BYTES = (
    b"\0",
    b"\xff",
    b'"',
    b"\n",
    b"\r",
    b",",
    b";",
    b"\t",
    b"\x1b",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\xef\xbb\xbf",
    b"\\",
    b"'",
)


def pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def changed_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(content) + 1))
    end = start + int(rng.integers(1, 40))
    kind = int(rng.integers(5))
    piece = (b"", pick(rng, BYTES), bytes(rng.integers(0, 256, 3, np.uint8)), content[start:end] * 2, b"")[kind]
    return content[:start] + piece + (b"" if kind == 4 else content[end if kind in (0, 3) else start + 1 :])


def changed_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    row, line = int(rng.integers(len(lines))), pick(rng, lines)
    lines[row : row + 1] = pick(
        rng,
        ([], [b""], [line], [lines[row], line], [lines[row][: len(line) // 2]], [line + lines[row]], [b"null"], [b"1"]),
    )
    return b"\n".join(lines)


def changed_cells(content: bytes, rng: np.random.Generator) -> bytes:
    rows = [line.split(b",") for line in content.split(b"\n")]
    column, row = int(rng.integers(len(rows[0]))), int(rng.integers(len(rows)))
    value = str(pick(rng, VALUES)).encode(errors="surrogatepass")
    kind = int(rng.integers(4))
    for number, cells in enumerate(rows):
        if column < len(cells) and len(cells) > 1:
            if kind == 0 and (number == row or (row % 3 == 0 and number > 0)):
                cells[column] = value
            elif kind == 1 and number == 0:
                cells[column] = pick(rng, [value, rows[0][-1], b"label", b"model", b"answer", b"correct"])
            elif kind == 2:
                del cells[column]
            elif kind == 3:
                cells.insert(column, cells[0])
    return b"\n".join(map(b",".join, rows))


def changed_tree(content: bytes, rng: np.random.Generator) -> bytes:
    """One node of a JSON document, or of one or all of its lines, changed."""
    lines = content.split(b"\n")
    try:
        trees = [json.loads(line) for line in lines if line.strip()]
    except ValueError:
        return changed_bytes(content, rng)
    if not trees:
        return changed_bytes(content, rng)
    path, kind, value = pick(rng, list(_paths(pick(rng, trees)))), int(rng.integers(5)), pick(rng, VALUES)
    rows = range(len(trees)) if rng.random() < 0.3 else [int(rng.integers(len(trees)))]
    for row in rows:
        trees[row] = _replaced(trees[row], path, kind, value)
    return "\n".join(map(json.dumps, trees)).encode()


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in items:
        yield from _paths(child, (*path, key))


def _replaced(tree: Any, path: tuple[Any, ...], kind: int, value: Any) -> Any:
    if not path:
        return value if kind != 4 else [tree]
    parent = tree
    try:
        for key in path[:-1]:
            parent = parent[key]
        node = parent[path[-1]]
    except (KeyError, IndexError, TypeError):
        return tree
    if kind == 0:
        del parent[path[-1]]
    elif kind == 3 and isinstance(parent, dict):
        parent[str(value)] = parent.pop(path[-1])
    else:
        parent[path[-1]] = [node] if kind == 4 else str(node) if kind == 2 else value
    return tree


def changed_parquet(content: bytes, rng: np.random.Generator) -> bytes:
    """Cells, columns or types changed in the table itself."""
    try:
        table = pa.parquet.read_table(io.BytesIO(content))
        column = int(rng.integers(table.num_columns))
        name, cells = table.column_names[column], table.column(column).to_pylist()
        kind, value = int(rng.integers(6)), pick(rng, VALUES)
        if kind == 0:
            table = table.remove_column(column)
        elif kind == 1:
            table = table.append_column(pick(rng, [name, "", "label", "other"]), table.column(column))
        elif kind == 2:
            table = table.rename_columns([*table.column_names[:column], str(value), *table.column_names[column + 1 :]])
        elif kind == 3:
            row = int(rng.integers(len(cells)))
            array = pa.array([*cells[:row], value, *cells[row + 1 :]])
            table = table.set_column(column, name, array)
        elif kind == 4:
            table = table.set_column(column, name, pa.array([value] * len(cells)))
        else:
            table = table.slice(0, int(rng.integers(3)))
        file = io.BytesIO()
        pa.parquet.write_table(table, file)
    except (pa.ArrowException, OSError, UnicodeError, OverflowError, TypeError, ValueError, IndexError):
        return changed_bytes(content, rng)
    return file.getvalue()


def changed_archive(content: bytes, rng: np.random.Generator) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = pick(rng, sorted(members))
    kind = int(rng.integers(6))
    if kind == 0:
        del members[name]
    elif kind == 1:
        members[pick(rng, ["header.json", "samples/x.json", "samples/../x.json", "x", "summaries.json"])] = members[
            name
        ]
    else:
        members[name] = (changed_tree if kind > 2 else changed_bytes)(members[name], rng)
    return packed(members)


def changed_packed(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """A packed table whose lines or cells are changed, packed again."""
    change = changed_lines if rng.random() < 0.4 else changed_cells
    if name.endswith(".gz"):
        return gzip.compress(change(gzip.decompress(content), rng))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return packed({member: change(archive.read(member), rng) for member in archive.namelist()})


def mutated(files: Files, rng: np.random.Generator) -> Files:
    """The files after one to three changes of bytes, lines, cells or whole files."""
    files = dict(files)
    for _ in range(int(rng.integers(1, 4))):
        if not files:
            break
        name = pick(rng, sorted(files))
        suffix, draw = Path(name).suffix, rng.random()
        if draw < 0.06:
            files[name] = pick(rng, [b"", b"\n", b"{}", b"[]", b"null", files[pick(rng, sorted(files))]])
        elif draw < 0.09 and len(files) > 1:
            del files[name]
        elif draw < 0.3:
            files[name] = changed_bytes(files[name], rng)
        elif suffix in (".gz", ".zip"):
            try:
                files[name] = changed_packed(name, files[name], rng)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError):
                files[name] = changed_bytes(files[name], rng)
        elif suffix in (".parquet", ".eval", ".npy"):
            change = {".parquet": changed_parquet, ".eval": changed_archive}.get(suffix, changed_bytes)
            try:
                files[name] = change(files[name], rng)
            except (zipfile.BadZipFile, NotImplementedError, EOFError, IndexError, ValueError):
                files[name] = changed_bytes(files[name], rng)
        elif draw < 0.45:
            files[name] = changed_lines(files[name], rng)
        else:
            files[name] = (changed_cells if suffix == ".csv" else changed_tree)(files[name], rng)
    return files


def commands(form: str, files: Files, rng: np.random.Generator) -> list[list[str]]:
    """What is run on the files: an audit, and now and then another command."""
    path = next(iter(files)) if len(files) == 1 else "."
    options = [*OPTIONS.get(form, []), *pick(rng, [[], [], ["--skip-bad"], ["--unify"], ["--normalize", "numeric"]])]
    if "lm_eval" in form or form in ("inspect_json", "inspect_eval", "lighteval", "promptfoo"):
        options += pick(rng, [[], [], ["--repeats"]])
    if form == "trulens":
        options += pick(rng, [[], ["--threshold", "0.5"]])
    if form == "lm_eval_texts":
        options += pick(rng, [[], ["--filter", "strict"], ["--metric", "exact_match"], ["--threshold", "0.5"]])
    kind = rng.random()
    if kind < 0.7:
        return [["audit", path, *options, "--out", "out/a", *pick(rng, [[], ["--json"]])]]
    if kind < 0.85:
        return [["read", path, *options, "--out", "out/p"], ["audit", "out/p", "--out", "out/a"]]
    if kind < 0.95:
        return [["select", path, *options, "--out", "out/s"]]
    return [["compare", path, path, *[o for o in options if o != "--group" and o != "group"]]]


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is wrong with how the command ended; nothing where it gave a result or one line."""
    try:
        code = main(arguments)
    except Exception as error:  # any exception would be a traceback
        capsys.readouterr()
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = "" if frame is None else f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
        return f"{type(error).__name__}: {str(error)[:300]} ({where})"
    err = capsys.readouterr().err
    if code == 2 and (err.count("\n") != 1 or not err.startswith("polyculture: ")):
        return f"more than one line: {err[:500]}"
    if code not in (0, 2):
        return f"exit code {code}: {err[:500]}"
    if code == 0 and "--json" not in arguments and err:
        return f"a result with words on stderr: {err[:500]}"
    return ""


def put(files: Files, folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def complaints(
    count: int, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    (tmp_path / "goods").mkdir()
    goods = {name: make() for name, make in FORMS.items()}
    for name, make in FOLDERS.items():
        (tmp_path / "goods" / name).mkdir()
        goods[name] = make(tmp_path / "goods" / name)
    wrong = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        form = sorted(goods)[number % len(goods)]
        files = mutated(goods[form], rng)
        folder = tmp_path / str(number)
        put(files, folder)
        monkeypatch.chdir(folder)
        for arguments in commands(form, files, rng):
            text = complaint(arguments, capsys)
            if text:
                wrong.append(f"{form} {number} {' '.join(arguments)}: {text}")
                break
    return wrong


@pytest.mark.parametrize("form", [*FORMS, *FOLDERS])
def test_every_good_input_is_audited_as_it_stands(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = FORMS[form]() if form in FORMS else FOLDERS[form](tmp_path)
    put(files, tmp_path / "in")
    monkeypatch.chdir(tmp_path / "in")
    path = next(iter(files)) if len(files) == 1 else "."
    assert main(["audit", path, *OPTIONS.get(form, []), "--out", "out"]) == 0, capsys.readouterr().err


@pytest.mark.slow
def test_a_hundred_mutations_end_in_a_result_or_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = complaints(100, 15, tmp_path, monkeypatch, capsys)
    assert not wrong, "\n".join(wrong)


@pytest.mark.nightly
def test_two_thousand_mutations_end_in_a_result_or_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = complaints(MUTATIONS, int(os.environ.get("MUTATION_SEED", "2026")), tmp_path, monkeypatch, capsys)
    assert not wrong, f"{len(wrong)} of {MUTATIONS}:\n" + "\n".join(wrong)
