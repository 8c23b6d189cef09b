"""How fast are logs and tables read, and in how much memory? Generated lm-evaluation-harness logs and CSV, streamed.

    python benchmarks/reading.py [--what logs|wide|integers|long] [--gigabytes 0.3] [--folder DIR]

Prints rows for benchmarks/README.md. The lines are laid out as --log_samples writes them for MMLU: 14,042 documents per
model, four choices, the prompt repeated for each. A wide CSV has 50 models that answer
words or 100 that answer integers, a long one 20 and a row per answer. Reading
runs in a process of its own, whose peak memory is the row's; beside it, in the same run, `json.loads` of the same lines
and nothing else, which no reader in Python can beat, or pandas (both engines) and polars reading the same file. Beside
the seconds by the clock stand those of the processors, all threads together, which other work disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DOCUMENTS, CHOICES = 14_042, "ABCD"
TITLES = {"logs": "lm-eval logs", "wide": "wide CSV", "integers": "wide CSV of integers", "long": "long CSV"}
KINDS = tuple(TITLES)


def write_logs(folder: Path, size: int) -> int:
    """Files of one model each until there are that many bytes; returns how many there are."""
    draw = random.Random(0)
    words = [draw.choice(("model", "alike", "error", "vote", "common", "shock", "answer")) for _ in range(120)]
    documents = []
    for i in range(DOCUMENTS):
        draw.shuffle(words)
        question = " ".join(words)
        row = {
            "doc_id": i,
            "doc": {"question": question, "choices": list(CHOICES), "answer": i % 4},
            "target": str(i % 4),
            "arguments": {
                f"gen_args_{k}": {"arg_0": f"{question}\nAnswer:", "arg_1": f" {c}"} for k, c in enumerate(CHOICES)
            },
        }
        rest = {
            "filter": "none",
            "metrics": ["acc"],
            "doc_hash": f"{i:064x}",
            "prompt_hash": f"{i + 1:064x}",
            "target_hash": f"{i % 4:064x}",
        }
        documents.append((json.dumps(row).encode()[:-1], json.dumps(rest)[1:-1]))
    written = model = 0
    while written < size:
        path = folder / f"org__model-{model:04d}" / "samples_mmlu_2025-01-01T00-00-00.000000.jsonl"
        path.parent.mkdir()
        with path.open("wb") as file:
            for i, (start, rest) in enumerate(documents):
                best = i % 4 if draw.random() < 0.7 else draw.randrange(4)
                logs = json.dumps(
                    [[str(-0.4 - 2.0 * (k != best) - draw.random() / 9), str(k == best)] for k in range(4)]
                )
                answer = f', "resps": [{logs}], "filtered_resps": {logs}, {rest}, "acc": {float(best == i % 4)}}}\n'
                line = start + answer.encode()
                written += file.write(line)
        model += 1
    return written


def write_csv(folder: Path, size: int, kind: str) -> int:
    """One CSV file of that many bytes."""
    long = kind == "long"
    draw = np.random.default_rng(0)
    classes = np.array(["cat", "dog", "bird", "fish", "horse", "sheep", "frog", "deer", "car", "ship"])
    if kind == "integers":
        classes = np.arange(1000).astype(str)
    models, written, first = {"long": 20, "wide": 50, "integers": 100}[kind], 0, 0
    with (folder / "answers.csv").open("w") as file:
        names = [f"model-{m}" for m in range(models)]
        written += file.write(
            "model,instance,answer,label\n" if long else ",".join(["instance", "label", *names]) + "\n"
        )
        while written < size:
            truth = draw.integers(0, len(classes), 10_000)
            slips = draw.integers(0, len(classes), (models, len(truth)))
            answers = np.where(draw.random(slips.shape) < 0.7, truth, slips)
            ids = [f"q{first + i}" for i in range(len(truth))]
            if long:
                rows = (
                    f"{name},{i},{a},{t}"
                    for name, said in zip(names, answers, strict=True)
                    for i, a, t in zip(ids, classes[said], classes[truth], strict=True)
                )
            else:
                cells = zip(ids, classes[truth], classes[answers.T], strict=True)
                rows = (f"{i},{t},{','.join(said)}" for i, t, said in cells)
            written += file.write("\n".join(rows) + "\n")
            first += len(truth)
    return written


def read(folder: Path) -> str:
    from polyculture.formats import align

    return align(folder).report.sentence


def pandas(folder: Path) -> str:
    import pandas as pd

    return f"{len(pd.read_csv(folder / 'answers.csv')):,} rows"


def pandas_pyarrow(folder: Path) -> str:
    import pandas as pd

    return f"{len(pd.read_csv(folder / 'answers.csv', engine='pyarrow')):,} rows"


def polars(folder: Path) -> str:
    import polars as pl

    return f"{len(pl.read_csv(folder / 'answers.csv')):,} rows"


def fast_parse(folder: Path) -> str:
    import orjson

    lines = (line for path in folder.rglob("*.jsonl") for line in path.open("rb"))
    return f"{sum(orjson.loads(line) is not None for line in lines):,} lines"


def parse(folder: Path) -> str:
    count = 0
    for path in folder.rglob("*.jsonl"):
        with path.open("rb") as file:
            for line in file:
                json.loads(line)
                count += 1
    return f"{count:,} lines"


JOBS = {
    "read": read,
    "parse": parse,
    "fast_parse": fast_parse,
    "pandas": pandas,
    "pandas_pyarrow": pandas_pyarrow,
    "polars": polars,
}
PEERS = {
    "parse": "`json.loads` alone",
    "fast_parse": "`orjson.loads` alone",
    "pandas": "`pandas.read_csv` alone",
    "pandas_pyarrow": '`pandas.read_csv(engine="pyarrow")` alone',
    "polars": "`polars.read_csv` alone",
}


def in_process(job: str, folder: Path) -> tuple[float, float, float, str]:
    """Seconds by the clock and of the processors, peak memory in MB and what it said, in another process."""
    command = [sys.executable, __file__, "--job", job, "--folder", str(folder)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    seconds, processor, peak, said = output.split("\t")
    return float(seconds), float(processor), float(peak), said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=0.3, help="how much to write and read")
    parser.add_argument("--what", choices=KINDS, nargs="*", default=KINDS)
    parser.add_argument("--folder", type=Path, help="where to put it; it is deleted again")
    parser.add_argument("--job", choices=tuple(JOBS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        start = time.perf_counter()
        said = JOBS[given.job](given.folder)
        seconds = time.perf_counter() - start
        processor = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds}\t{processor}\t{peak}\t{said}")
        return
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print("| what | size | tool | seconds | MB/s | processor s | peak memory |\n|---|---|---|---|---|---|---|")
    for what in given.what:
        compare(what, int(given.gigabytes * 1e9), given.folder)


def compare(what: str, size: int, parent: Path | None) -> None:
    """Print the rows of one kind of file."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        size = write_logs(folder, size) if what == "logs" else write_csv(folder, size, what)
        os.sync()  # to write files back takes both processors for a while
        peers = ("parse", "fast_parse") if what == "logs" else ("pandas", "pandas_pyarrow", "polars")
        for job in ("read", *peers):
            seconds, processor, peak, said = in_process(job, folder)
            tool = PEERS.get(job, "polyculture")
            print(
                f"| {TITLES[what]}, streamed | {size / 1e9:.1f} GB | {tool} "
                f"| {seconds:.1f} | {size / 1e6 / seconds:.0f} | {processor:.1f} | {peak:.0f} MB |",
                flush=True,
            )
            print(f"  {said}", file=sys.stderr)


if __name__ == "__main__":
    main()
