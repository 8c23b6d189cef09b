"""Run lm-evaluation-harness on two local tasks with two models that answer by rule; write its logs below a folder.

The second model is given the questions in the opposite order.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

OUT = Path(sys.argv[1])
os.environ |= {"HF_HOME": str(OUT / "cache"), "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}

import lm_eval  # noqa: E402
from lm_eval.api.model import LM  # noqa: E402
from lm_eval.loggers import EvaluationTracker  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

QUIZ = """
task: quiz
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/quiz.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""
SUMS = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/sums.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["\\n"]}}
filter_list:
  - name: strict
    filter: [{{function: regex, regex_pattern: "#### (\\\\d+)"}}, {{function: take_first}}]
  - name: flexible
    filter: [{{function: regex, group_select: -1, regex_pattern: "(\\\\d+)"}}, {{function: take_first}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


class Rule(LM):
    """Chooses choice (number × pace) mod 3; sums rightly but where the number is a multiple of its pace."""

    def __init__(self, pace: int) -> None:
        super().__init__()
        self.pace = pace

    def loglikelihood(self, requests):
        def one(question, choice):
            chosen = ("one", "two", "three")[number(question) * self.pace % 3]
            return (-0.5, True) if choice.strip() == chosen else (-2.0, False)

        return [one(*request.args) for request in requests]

    def generate_until(self, requests):
        def one(question):
            n = number(question)
            return f"It is {n}, I guess" if n % self.pace == 0 else f"{n}+1 makes #### {n + 1}"

        return [one(request.args[0]) for request in requests]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def number(question: str) -> int:
    return int(re.search(r"\d+", question)[0])


def write_tasks(folder: Path, numbers: list[int]) -> None:
    folder.mkdir(parents=True)
    quiz = [{"question": f"Which is {i}?", "choices": ["one", "two", "three"], "answer": i % 3} for i in numbers]
    sums = [{"question": f"What is {i}+1?", "answer": str(i + 1)} for i in numbers]
    for name, rows, task in (("quiz", quiz, QUIZ), ("sums", sums, SUMS)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / f"{name}.yaml").write_text(task.format(folder=folder))


for name, pace, numbers in (("org/alpha-7b", 2, [*range(12)]), ("org/beta-13b-int4", 3, [*reversed(range(12))])):
    write_tasks(OUT / f"tasks-{pace}", numbers)
    manager = TaskManager(include_path=str(OUT / f"tasks-{pace}"), include_defaults=False)
    results = lm_eval.simple_evaluate(Rule(pace), tasks=["quiz", "sums"], task_manager=manager, log_samples=True)
    tracker = EvaluationTracker(output_path=str(OUT / "logs"))
    tracker.general_config_tracker.log_experiment_args("hf", f"pretrained={name},dtype=bfloat16", "", "", False)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)
