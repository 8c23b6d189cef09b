"""What is one answer in a log? The common form of all formats, one answer at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

State = Literal["", "unparsed", "refused", "failed", "unscored"]
"""Why there is no answer: it could not be parsed, it refuses, the request failed, or its scorer did not score it."""


@dataclass(slots=True)  # logs have millions, and to make a frozen one takes several times as long
class Item:
    """One answer of one model to one instance; never changed once it is made.

    Parameters
    ----------
    model : the model's id.
    instance : key by which items of different logs are matched; not displayed.
    display_id : id of the instance for display.
    place : file and line, for error messages.
    answer : the answer; None where there is none. An index into `choices` where there are some.
    label : the true answer, of the same kind; None where unknown.
    score : its score in the log: a number or a verdict; nan where its scorer gave none; None where there is no scorer,
        and the label says what is right.
    state : why there is no answer.
    prompt, reference : must be the same for two models to have had the same task; compared, not displayed.
    group : the task or data set it belongs to.
    repeat : number of the run, from 1, where the model has several; else 0.
    options : number of answers to choose from; 0 where unknown.
    choices : their texts.
    probabilities : a probability per choice.
    free : whether the answer is free text, which is normalised and may refuse.
    metric : name of the metric or scorer that gave the score.
    """

    model: str
    instance: str
    display_id: str
    place: str
    answer: str | None = None
    label: str | None = None
    score: Any = None
    state: State = ""
    prompt: str = ""
    reference: str = ""
    group: str = ""
    repeat: int = 0
    options: int = 0
    choices: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    free: bool = False
    metric: str = ""
