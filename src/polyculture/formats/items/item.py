"""What is one answer in a log? The common form into which every log is read, one answer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["", "unparsed", "refused", "failed"]
"""Whether an answer is one: it could not be parsed, refuses, or never came because the request failed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One answer of one model to one instance.

    Parameters
    ----------
    model : who answered.
    instance : what makes two items the same in different logs; never shown.
    shown : the id of the instance to show.
    place : file and line, for complaints.
    answer : the answer; None where there is none. An index into `choices` where there are some.
    label : the true answer, of the same kind; None where it is not told.
    score : what the log says of it: a number, true or false; None where it says nothing.
    state : why an answer is none.
    prompt, reference : what must be the same for two models to have done the same; compared, never shown.
    group : the task or data set it belongs to.
    repeat : which of several runs of the same model it is, from 1; 0 where there is one run.
    options : how many answers there were to choose from; 0 where that is not told.
    choices : their texts.
    chances : a probability per choice.
    free : whether the answer is free text, which is normalised and may refuse.
    """

    model: str
    instance: str
    shown: str
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
    chances: tuple[float, ...] = ()
    free: bool = False


ItemStream = Iterator[Item]
