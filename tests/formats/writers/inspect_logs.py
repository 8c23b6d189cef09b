"""Run Inspect on two local tasks with its mock model; write its logs (one .eval, one .json, each for two models)."""

from __future__ import annotations

import sys
from pathlib import Path

from inspect_ai import Epochs, Task
from inspect_ai import eval as run
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import choice, includes, match
from inspect_ai.solver import generate, multiple_choice

OUT = Path(sys.argv[1])


async def words(text: str) -> int:
    return len(text.split())  # its own count of tokens loads a file from the network


def mock(name, answers):
    outputs = [
        ModelOutput.from_content("mockllm", a, stop_reason="content_filter" if a == "blocked" else "stop")
        for a in answers
    ]
    model = get_model(f"mockllm/{name}", custom_outputs=outputs)
    model.api.count_text_tokens = words
    return model


quiz = MemoryDataset(
    [Sample(input=f"Which is {i}?", target="ABC"[i % 3], choices=["one", "two", "three"], id=f"q{i}") for i in range(6)]
)
exam = Task(quiz, solver=multiple_choice(), scorer=choice(), name="quiz", epochs=Epochs(2, "mean"))
for name, shift in (("ann", 0), ("bob", 1)):
    said = [f"ANSWER: {'ABC'[(i + shift * (i % 2)) % 3]}" for _ in range(2) for i in range(6)]
    said[3] = "I would rather not choose."
    said[4] = "blocked" if name == "bob" else said[4]
    run(exam, mock(name, said), log_dir=str(OUT / "eval"), display="none", log_format="eval", max_samples=1)

sums = MemoryDataset([Sample(input=f"What is {i}+1?", target=str(i + 1)) for i in range(6)])
for name, wrong in (("ann", {2}), ("bob", {2, 3})):
    task = Task(sums, solver=generate(), scorer=[match(numeric=True), includes()], name="sums")
    model = mock(name, [f"It is {0 if i in wrong else i + 1}" for i in range(6)])
    run(task, model, log_dir=str(OUT / "json"), display="none", log_format="json", max_samples=1)
