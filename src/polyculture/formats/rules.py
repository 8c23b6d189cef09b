"""Which conventions does reading follow? All in one place, with the usual choice as default."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
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
"""How a model's factors are read from its name: per factor a pattern whose first group is its level."""

REFUSAL = r"(?i)^\W*(i['’]?m sorry|sorry\b|i (can(no|['’])?t|can ?not|am unable|am not able|won['’]?t)\b|as an ai\b)"
"""Pattern of a text that refuses to answer."""


@dataclass(frozen=True)
class ReadingRules:
    """How answers are read where the source leaves a choice.

    Parameters
    ----------
    normalize : when two texts are the same answer: exact, quasi-exact, numeric, multiple-choice or code.
    metric : the metric, scorer or statistic that decides what is right, if a log has several; else the usual one.
    filter : the filter of lm-evaluation-harness whose answers count; ``"*"`` reads each as a separate model.
    threshold : a score of this value or higher is right. Without one, scores must be from 0 to 1, and 1 is right.
    unify : treat answers that differ only in case, spacing or type as equal; else they are listed in the report.
    skip_bad : skip and count lines that cannot be read; else the first is an error.
    fields : for JSON Lines of any form, the dotted paths of: instance, model, answer, label, correct, prompt, refused,
        stopped, failed, status. The forms of OpenAI's and Anthropic's batch outputs are built in.
    names : how factors are read from names, as in `NAME_RULES`, the default for logs; empty for not at all.
    keep_na : NA, NaN, null and the like in a CSV file are answers and labels, as with keep_default_na=False in pandas;
        else they are empty cells.
    categorical : answers and labels are names of classes even where they look like numbers: 1.10 is not 1.1, 007 is
        not 7.
    refusal : pattern of a text that refuses; empty for none.
    largest_sample : the most bytes to which one sample of a packed log may unfold.
    repeats : read several files of one model and task as repeat runs; else of dated files (lm-evaluation-harness,
        lighteval) the latest counts, and any others must not contradict each other.
    judges : where an Inspect log has several scorers, or a list of verdicts, each scorer is read as a model.
    truth : field of the samples' metadata that holds the true verdict of judges.
    """

    normalize: str = "exact"
    metric: str | None = None
    filter: str | None = None
    threshold: int | float | None = None
    unify: bool = False
    skip_bad: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] | None = None
    refusal: str = REFUSAL
    largest_sample: int = 2**28
    repeats: bool = False
    keep_na: bool = False
    categorical: bool = False
    judges: bool = False
    truth: str = ""

    def __post_init__(self) -> None:
        normalizer(self.normalize)
        if self.categorical and self.normalize == "numeric":
            raise InputError("categorical and the rule numeric", "names of classes, or numbers", "give one of the two")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(f"the threshold is {self.threshold}", "a finite number")
        if self.largest_sample < 1:
            raise InputError(f"the largest sample is {self.largest_sample}", "a number of bytes, such as 268435456")
        for pattern in (*(self.names or {}).values(), self.refusal):
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise InputError(f"{pattern!r} is not a pattern: {error}", "a regular expression") from error
            if pattern is not self.refusal and not groups:
                raise InputError(f"the pattern {pattern!r} has no group", "parentheses around the level")


def fields_of(texts: Sequence[str]) -> dict[str, str]:
    """The option `fields` of `ReadingRules` from texts such as ``answer=reply.0.text``."""
    fields: dict[str, str] = {}
    for text in texts:
        role, equals, path = (part.strip() for part in text.partition("="))
        if not (role and equals and path):
            raise InputError(f"the field {text!r}", "ROLE=PATH, such as answer=reply.0.text")
        if fields.setdefault(role, path) != path:
            raise InputError(f"the field {role!r} is given twice", "one path for each role")
    return fields
