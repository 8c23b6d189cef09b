"""What does the reader decide where people differ? Everything in one place, with the usual choice as default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from polyculture.errors import InputError

from .normalization import normalizer

NAME_RULES: Mapping[str, str] = {
    "provider": r"^([^/]+)/",
    "family": r"(?:^|/)([A-Za-z]+)[^/]*$",
    "size": r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)[bB](?![A-Za-z0-9])",
    "quantization": r"(?i)(?<![a-z0-9])(int[48]|[48]bit|fp8|nf4|awq|gptq|q\d(?:_[a-z0-9]+)*)(?![a-z0-9])",
    "snapshot": r"(20\d\d-?[01]\d-?[0-3]\d)",
}
"""How a model's name tells what it is made of: per factor a pattern whose first group is its level."""

REFUSAL = r"(?i)^\W*(i['’]?m sorry|sorry\b|i (can(no|['’])?t|can ?not|am unable|am not able|won['’]?t)\b|as an ai\b)"
"""What a text starts with that refuses to answer."""


@dataclass(frozen=True)
class ReadingRules:
    """How answers are read where the source leaves a choice.

    Parameters
    ----------
    normalize : when two texts say the same: exact, quasi-exact, numeric, multiple-choice or code.
    metric : the metric, scorer or statistic that says what is right, if a log has several; else the usual one.
    filter : the filter of lm-evaluation-harness whose answers count; ``"*"`` reads each as a model of its own.
    threshold : a score of this much or more is right.
    unify : take answers for one that differ only by case, space or type; else they are named in the report.
    skip_bad : leave lines out that cannot be read, and count them; else the first one is an error.
    fields : for JSON Lines of any form, where things stand, as dotted paths: instance, model, answer, label, correct,
        prompt, refused, stopped, failed. The form of OpenAI's batch outputs is known.
    names : how names tell factors, as in `NAME_RULES`, which holds for logs if this is left out; empty for not at all.
    refusal : pattern of a text that refuses; empty for none.
    """

    normalize: str = "exact"
    metric: str | None = None
    filter: str | None = None
    threshold: float = 1.0
    unify: bool = False
    skip_bad: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] | None = None
    refusal: str = REFUSAL

    def __post_init__(self) -> None:
        normalizer(self.normalize)
        for pattern in (*(self.names or {}).values(), self.refusal):
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise InputError(f"{pattern!r} is not a pattern: {error}", "a regular expression") from error
            if pattern is not self.refusal and not groups:
                raise InputError(f"the pattern {pattern!r} has no group", "parentheses around what tells the level")
