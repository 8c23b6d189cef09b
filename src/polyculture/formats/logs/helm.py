"""What is in a run of HELM? A folder with run_spec.json, scenario_state.json and per_instance_stats.json.

The outcome is the statistic that HELM shows for the method, or the one named. Answers are those of
display_predictions.json, mapped back to the text of the choice in multiple choice, or else the completions of
scenario_state.json. Each train trial is a separate run; a perturbed instance is a separate instance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..items.scores import NOT_SCORED, any_of
from ..json_layout import check_layout
from ..json_lines import load_json

SPEC, STATE = "run_spec.json", "scenario_state.json"
STATS, DISPLAYED = "per_instance_stats.json", "display_predictions.json"
INSTANCES = "instances.json"
MATCHED_BY = "the ids of their instances"
METRICS = (
    *("quasi_exact_match", "exact_match", "final_number_exact_match"),
    *("math_equiv_chain_of_thought", "quasi_prefix_exact_match", "prefix_exact_match"),
)
Key = tuple[str, str, int]
_ID, _TEXT = (str, int), (str,)
_INSTANCE = {
    "id": _ID,
    "perturbation?": {},
    "references?": [{"output": {"text": _TEXT}, "tags?": [_TEXT]}],
}
_REQUEST = {
    "instance": _INSTANCE,
    "train_trial_index?": (int,),
    "reference_index?": (int,),
    "result?": {"completions?": [{"text?": _TEXT}]},
    "output_mapping?": {},
}
_ROW = {"instance_id": _ID, "perturbation?": {}, "train_trial_index?": (int,)}
_STATISTIC = {"name": {"name": _TEXT}}
LAYOUTS = {
    SPEC: {"adapter_spec?": {"max_train_instances?": (int,), "num_train_trials?": (int,)}},
    STATE: {"request_states": [_REQUEST]},
    STATS: [_ROW | {"stats": [_STATISTIC]}],
    DISPLAYED: [_ROW | {"stats": {}, "predicted_text?": _TEXT, "truncated_predicted_text?": _TEXT}],
    INSTANCES: [_INSTANCE],
}
"""How HELM lays out its files, as far as they are read."""


def is_run(folder: Path) -> bool:
    """Whether this is the folder of one run."""
    return (folder / SPEC).is_file() and ((folder / STATE).is_file() or (folder / DISPLAYED).is_file())


def read_run(folder: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all items of one run."""
    spec = _load(folder, SPEC)
    adapter = spec.get("adapter_spec") or {}
    name = model or str(adapter.get("model") or adapter.get("model_deployment") or folder.name)
    method = str(adapter.get("method", ""))
    task = _task(str(spec.get("name", folder.name)))
    stats = _stats(folder)
    references = _references(folder)
    metric = ""
    if stats or not any(r.get("tags") for i in references.values() for r in i.get("references") or []):
        metric = _metric(stats, builder, (folder, task), joint=method.startswith("multiple_choice"))
    builder.note(f"Task {task}: {metric or 'equality with the reference'} says what is right.")
    builder.add_factors(name, {"method": method or None})
    repeated = int(adapter.get("max_train_instances") or 0) > 0 and int(adapter.get("num_train_trials") or 1) > 1
    answers = _displayed_answers(folder) if (folder / DISPLAYED).is_file() else _completions(folder, stats, references)
    for key, answer, state in answers:
        instance, perturbation, trial = key
        source = references.get((instance, perturbation)) or {}
        right = [r["output"]["text"] for r in source.get("references") or [] if "correct" in (r.get("tags") or [])]
        instance_id = f"{instance}~{perturbation}" if perturbation else instance
        builder.add(
            Item(
                name,
                instance=f"{task}\n{instance_id}",
                display_id=instance_id,
                place=f"instance {instance_id} of {folder}",
                answer=answer,
                label=right[0] if len(right) == 1 else None,
                score=_score(stats.get(key, {}).get(metric), metric, right, answer if state == "" else ""),
                state=state,
                metric=metric,
                prompt=str(source.get("input", "")),
                reference=json.dumps(right),
                group=task,
                repeat=trial + 1 if repeated else 0,
                options=len(source.get("references") or []) if method.startswith("multiple_choice") else 0,
                free=True,
            )
        )


def _load(folder: Path, name: str) -> Any:
    """The value of one of the files of a run, laid out as HELM does."""
    value = load_json(folder / name)
    check_layout(value, LAYOUTS[name], str(folder / name))
    return value


def _score(value: Any, metric: str, right: Sequence[str], answer: str) -> Any:
    """The statistic, nan where there is none; without a metric, whether the answer is one of several references."""
    if metric:
        return NOT_SCORED if value is None else value
    return any_of(right, answer, str.strip) if len(right) > 1 else None


def _task(name: str) -> str:
    """The name of a run without its model: mmlu:subject=anatomy."""
    scenario, _, arguments = name.partition(":")
    fields = [a for a in arguments.split(",") if a and not a.startswith(("model=", "model_deployment="))]
    return f"{scenario}:{','.join(fields)}" if fields else scenario


def _perturbation(value: Mapping[str, Any]) -> str:
    perturbation = value.get("perturbation")
    return "" if not perturbation else str(perturbation.get("name", perturbation))


def _key(row: Mapping[str, Any]) -> Key:
    """Instance, perturbation and trial of a row."""
    return str(row["instance_id"]), _perturbation(row), int(row.get("train_trial_index") or 0)


def _stats(folder: Path) -> dict[Key, dict[str, Any]]:
    """Statistics by instance, perturbation and trial."""
    stats: dict[Key, dict[str, Any]] = {}
    if (folder / STATS).is_file():
        for row in _load(folder, STATS):
            values = {s["name"]["name"]: s.get("mean", s.get("sum")) for s in row["stats"]}
            stats.setdefault(_key(row), {}).update(values)
    elif (folder / DISPLAYED).is_file():
        for row in _load(folder, DISPLAYED):
            stats[_key(row)] = row["stats"]
    return stats


def _metric(
    stats: Mapping[Key, Mapping[str, Any]], builder: PredictionsBuilder, run: tuple[Path, str], joint: bool
) -> str:
    """The metric that counts for the task of a run, one for all runs of the task."""
    folder, task = run
    names = list(dict.fromkeys(name for values in stats.values() for name in values))
    metric_option = builder.rules.metric
    if metric_option and metric_option not in names:
        raise InputError(f"{folder} has no statistic {metric_option!r}", "", near(metric_option, names))
    defaults = ("exact_match", *METRICS) if joint else METRICS
    default = next((name for name in defaults if name in names), "")
    metric = builder.metric_of(task, default) if metric_option or default else ""
    if metric and metric not in names:
        cure = "name a statistic that all runs of the task have with metric (--metric)"
        raise InputError(f"{folder} has no statistic {metric!r}", f"one of {', '.join(names)}", cure)
    if not metric:
        listing = ", ".join(names[:6]) or "none"
        raise InputError(
            f"{folder} has no statistic that says right or wrong (its statistics: {listing})",
            f"one such as {METRICS[0]}",
            "name it with metric (--metric)",
        )
    return metric


def _references(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Input and references of every instance."""
    if (folder / STATE).is_file():
        instances = [state["instance"] for state in _load(folder, STATE)["request_states"]]
    elif (folder / INSTANCES).is_file():
        instances = _load(folder, INSTANCES)
    else:
        instances = []
    return {(str(i["id"]), _perturbation(i)): i for i in instances}


def _displayed_answers(folder: Path) -> Iterator[tuple[Key, str, State]]:
    for row in _load(folder, DISPLAYED):
        mapped, text = row.get("mapped_output"), row.get("truncated_predicted_text") or row.get("predicted_text") or ""
        yield _key(row), str(mapped if mapped is not None else text), "" if (mapped or text.strip()) else "unparsed"


def _completions(
    folder: Path, stats: Mapping[Key, Mapping[str, Any]], references: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[tuple[Key, str, State]]:
    """The completions; where every choice was a separate request, the choice that the statistics name."""
    for request in _load(folder, STATE)["request_states"]:
        instance = request["instance"]
        key = (str(instance["id"]), _perturbation(instance), int(request.get("train_trial_index") or 0))
        result, choice = request.get("result") or {}, request.get("reference_index")
        if request.get("request_mode") == "calibration":
            continue
        if choice is not None:
            if stats.get(key, {}).get("predicted_index") == choice:
                yield key, str(references[key[:2]]["references"][choice]["output"]["text"]), ""
            continue
        texts = [c.get("text") or "" for c in result.get("completions") or []]
        text = texts[0] if texts else ""
        mapping = request.get("output_mapping") or {}
        answer = mapping.get(text.strip(), text)
        state: State = "failed" if not result.get("success", bool(texts)) else "" if answer.strip() else "unparsed"
        yield key, str(answer), state
