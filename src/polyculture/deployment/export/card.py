"""What should whoever deploys the set know about it? A model card in Markdown, with the front matter of model hubs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from polyculture.stats.interval import percent

from ..bundle.manifest import Manifest

NUMBERS = {
    "error": "error",
    "log_loss": "log-loss",
    "calibration": "calibration error",
    "squared_error": "mean squared error",
    "r_squared": "R²",
    "n_eff": "effective number of models",
    "all_wrong": "all members wrong",
    "ceiling": "best accuracy that choosing a member could reach",
    "worst_group": "error in the worst group",
    "worst_shift": "error under the worst shift",
}
"""Numbers of a certificate that the card shows, with their names."""
SHARES = ("error", "calibration", "all_wrong", "ceiling", "worst_group", "worst_shift")
PIPELINES = {
    "table": "tabular",
    "series": "time-series",
    "image": "image",
    "volume": "image",
    "audio": "audio",
    "text": "text",
    "tags": "token",
}


def model_card(manifest: Manifest, reference: Mapping[str, Any], sentence: str) -> str:
    """The card of a bundle.

    Parameters
    ----------
    manifest : complete but for the digests of files.
    reference : statistics at certification.
    sentence : what the portfolio is worth.
    """
    sections = [
        _front_matter(manifest),
        f"# {_plain(manifest.name)}: a set of {_count(manifest)}\n\n{_plain(sentence)}\n",
        _members(manifest),
        _likeness(reference),
        _certificate(manifest),
        _limits(manifest),
        _export(manifest),
    ]
    return "\n".join(section for section in sections if section)


def _count(manifest: Manifest) -> str:
    return f"{len(manifest.members)} model{'' if len(manifest.members) == 1 else 's'}"


def _front_matter(manifest: Manifest) -> str:
    """YAML; strings are written as JSON, which YAML contains."""
    scores = manifest.certificate.get("certificate") or {}
    metric, name = ("mse", "squared_error") if manifest.task == "regression" else ("accuracy", "error")
    value = _estimate(scores.get(name))
    value = None if value is None else value if manifest.task == "regression" else 1 - value
    task = _pipeline(manifest)
    lines = ["---", "license: other", "library_name: polyculture", f"pipeline_tag: {task}", "tags:"]
    lines += [f"- {json.dumps(tag)}" for tag in ("ensemble", "onnx", "polyculture", manifest.modality)]
    lines += ["metrics:", f"- {metric}", "datasets:", f"- {_text(manifest.name)}", "model-index:"]
    lines += [f"- name: {_text(manifest.name)}", "  results:", "  - task:", f"      type: {task}"]
    lines += ["    dataset:", f"      type: {_text(manifest.name)}", f"      name: {_text(manifest.name)}"]
    lines += [
        "    metrics:",
        f"    - type: {metric}",
        f"      value: {'.nan' if value is None else repr(value)}",
        "---",
        "",
    ]
    return "\n".join(lines)


def _pipeline(manifest: Manifest) -> str:
    stem = PIPELINES.get(manifest.modality, "tabular")
    if stem == "time-series":
        return "time-series-forecasting"
    return f"{stem}-{'regression' if manifest.task == 'regression' else 'classification'}"


def _members(manifest: Manifest) -> str:
    rows = [
        [
            member.name,
            member.id,
            f"{member.weight:.3g}",
            _recipe(member.recipe),
            ", ".join(f"{k} {v}" for k, v in member.ancestry.items()),
        ]
        for member in manifest.members
    ]
    rule = f"Combined by the rule {manifest.rule}"
    rule += f", temperature {manifest.temperature:.3g}" if manifest.temperature != 1 else ""
    shared = _shared(manifest)
    ancestry = (
        f"\nShared by several members: {shared}. What members share they can get wrong together.\n" if shared else ""
    )
    table = _table(["member", "id", "weight", "recipe", "ancestry"], rows)
    quorum = f"at least {manifest.quorum} of {len(manifest.members)} have to answer"
    return f"## Members\n\n{rule}; {quorum}.\n\n{table}{ancestry}"


def _shared(manifest: Manifest) -> str:
    """Levels of the ancestry that more than one member has."""
    counts: dict[str, int] = {}
    for member in manifest.members:
        for axis, level in member.ancestry.items():
            counts[f"{axis} {level}"] = counts.get(f"{axis} {level}", 0) + 1
    return ", ".join(
        f"{_plain(name)} ({count} of {len(manifest.members)})" for name, count in counts.items() if count > 1
    )


def _likeness(reference: Mapping[str, Any]) -> str:
    """How alike the members are where they were certified."""
    numbers = {
        "the members do not all give the same answer": reference.get("disagreement"),
        "every member is wrong": reference.get("all_wrong"),
        "the set is wrong": reference.get("error"),
    }
    lines = [
        f"- {percent(share, 1)} of the instances: {words}" for words, share in numbers.items() if share is not None
    ]
    n_eff = reference.get("n_eff")
    lines += [f"- the members fail like {n_eff:.2f} independent models"] if n_eff is not None else []
    if not lines:
        return ""
    n = reference.get("n", 0)
    return (
        f"## How alike the members are\n\nOn {n:,} instances that the members had not learned from:\n\n"
        + "\n".join(lines)
        + "\n"
    )


def _certificate(manifest: Manifest) -> str:
    scores = manifest.certificate.get("certificate") or {}
    regression = manifest.task == "regression"
    shares = () if regression else SHARES
    names = NUMBERS | ({"worst_shift": "squared error under the worst shift"} if regression else {})
    names |= {"worst_group": "squared error in the worst group"} if regression else {}
    rows = [
        [words, *_limits_of(scores[name], name in shares)]
        for name, words in names.items()
        if _estimate(scores.get(name)) is not None
    ]
    if not rows:
        return ""
    gains = [
        [f"{loss.replace('_', '-')} gain over {words}", *_limits_of(scores[key], loss == "error")]
        for loss in ("error", "log_loss", "squared_error")
        for name, words in (("best", "the best single model"), ("all", "all candidates"), ("top", "the best, as many"))
        if _estimate(scores.get(key := f"{loss}_gain_over_{name}")) is not None
    ]
    n = scores.get("n")
    nested = "cross-fitting" in str((manifest.certificate.get("facts") or {}).get("certified", ""))
    kind = "by nested cross-fitting" if nested else "that were never used to choose"
    intro = f"On {n:,} instances {kind}:\n\n" if isinstance(n, int) else ""
    return f"## Certificate\n\n{intro}" + _table(["number", "estimate", "from", "to"], rows + gains)


def _limits(manifest: Manifest) -> str:
    conformal = manifest.conformal
    sets = ""
    if conformal:
        kind = "intervals" if manifest.task == "regression" else "sets"
        sets = (
            f"- Conformal {kind} have the truth in {percent(conformal['level'], 0)} of the cases, as long as inputs "
            "are exchangeable with those of the certificate.\n"
        )
    return (
        "## Limits\n\n"
        "- The numbers hold for inputs like those of the certificate; `polyculture watch` tells when inputs change.\n"
        f"{sets}"
        "- Models that seldom disagree can still be wrong together: agreement is no proof.\n"
        "- A difference whose interval reaches 0 is not shown to be a difference.\n"
    )


def _export(manifest: Manifest) -> str:
    errors = [member.export_error for member in manifest.members]
    words = ["not measured" if error is None else f"{error:.1e}" for error in errors]
    words = [
        "answers elsewhere" if member.remote else word for member, word in zip(manifest.members, words, strict=True)
    ]
    rows = [[member.name, word] for member, word in zip(manifest.members, words, strict=True)]
    unit = "standard deviations of the truth" if manifest.task == "regression" else "probability"
    note = (
        f"Largest difference in {unit} between graph and original model on held-out rows; up to 1e-4 is accepted.\n\n"
    )
    software = ", ".join(f"{name} {version}" for name, version in manifest.software.items())
    return f"## Export\n\n{note}{_table(['member', 'error'], rows)}\nWritten with {software}.\n"


def _recipe(recipe: Mapping[str, Any]) -> str:
    parts = {k: v for k, v in recipe.items() if v not in ("none", "own", "all", {}, [])}
    return ", ".join(f"{k} {json.dumps(v) if isinstance(v, (dict, list)) else v}" for k, v in parts.items())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_plain(str(cell)) for cell in line) + " |" for line in lines) + "\n"


def _limits_of(interval: Mapping[str, Any], share: bool) -> list[str]:
    numbers = [interval.get("estimate"), interval.get("low"), interval.get("high")]
    return ["" if x is None else percent(x, 2) if share else f"{x:.4g}" for x in map(_finite, numbers)]


def _estimate(interval: Any) -> float | None:
    return _finite(interval.get("estimate")) if isinstance(interval, Mapping) else None


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: in one line, without markup."""
    text = " ".join(text.split())
    for sign in "\\|<>*_`#[]":
        text = text.replace(sign, "\\" + sign)
    return text


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
