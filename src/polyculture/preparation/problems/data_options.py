"""How should files be read and cut? What the user says about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyculture.errors import InputError, near

KINDS = ("table", "image", "text", "tags", "audio", "series")


@dataclass(frozen=True)
class DataOptions:
    """What is to be learned from files, and how they are cut; all of it can be left out.

    Parameters
    ----------
    kind : one of `KINDS`, where the files do not tell.
    label : column with what is to be learned; the usual names, or else the last column.
    positive : asks whether the label is this, instead of which it is: ``">0"``, ``"<=2"``, ``"=bad"``, ``"yes"``.
    task : ``"classification"`` or ``"regression"``; labels that are numbers with fractions, or more than 20 different
        ones, are otherwise taken for numbers to be predicted.
    ignore : columns that are not learned from.
    group : column of groups to compare; of several files ``"file"``, of recordings ``"speaker"``. Not learned from.
    hold_out : values of that column that are never learned from; each is a test set of its own.
    cluster : column that tells which instances belong together; the parts of the split share none of its values.
    time : column of moments; what is tested on then comes after what is learned from.
    fold : ``"2/5"`` tests on the second of five folds. With any of these three, parts that files tell are not used.
    test_on : other files, or problems by name, to be tested on as well.
    limit : instances in each part at most, a stratified sample; in time the latest to learn from, the first to test on.
    shifts : kinds of graded shift to be tested under; None for all.
    window, horizon : of a time series, how many steps are looked at, and how many steps ahead is predicted.
    """

    kind: str = ""
    label: str = ""
    positive: str = ""
    task: str = ""
    ignore: tuple[str, ...] = ()
    group: str = ""
    hold_out: tuple[str, ...] = ()
    cluster: str = ""
    time: str = ""
    fold: str = ""
    test_on: tuple[str, ...] = ()
    limit: int | None = None
    shifts: tuple[str, ...] | None = None
    window: int = 24
    horizon: int = 1

    def __post_init__(self) -> None:
        if self.kind and self.kind not in KINDS:
            raise InputError(f"no kind of problem {self.kind!r}", "", near(self.kind, KINDS))
        if self.task not in ("", "classification", "regression"):
            raise InputError(f"the task is {self.task!r}", "'classification' or 'regression'")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"a limit of {self.limit} instances", "1 or more")
        if self.window < 1 or self.horizon < 1:
            raise InputError(f"a window of {self.window} and a horizon of {self.horizon} steps", "1 or more of each")
        chosen = [name for name in ("cluster", "time") if getattr(self, name)]
        if len(chosen) > 1 or (self.time and self.fold):
            raise InputError(
                f"both {' and '.join(chosen) if len(chosen) > 1 else 'time and fold'}", "one way of cutting at a time"
            )
        self.which_fold()

    def which_fold(self) -> tuple[int, int] | None:
        """Number of the fold, from 0, and how many there are."""
        if not self.fold:
            return None
        match = re.fullmatch(r"(\d+)/(\d+)", self.fold)
        if not match or not 1 <= int(match[1]) <= int(match[2]) or int(match[2]) < 2:
            raise InputError(f"the fold is {self.fold!r}", "which of how many, such as '2/5'")
        return int(match[1]) - 1, int(match[2])


_PART = re.compile(r"(?:^|(?<=[._\-]))(train|training|dev|valid|val|validation|test|testing|t10k)(?=[._\-]|$)", re.I)
_PARTS = {"tr": "train", "de": "selection", "va": "selection", "te": "test", "t1": "test"}
_ENDINGS = {
    ".gz",
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".conll",
    ".conllu",
    ".iob",
    ".bio",
    ".npz",
    ".zip",
    ".dat",
    ".data",
}


def part_of(path: Path) -> str:
    """``"train"``, ``"selection"`` or ``"test"`` where the file's name says so (train, dev, test), or nothing."""
    match = _PART.search(path.name)
    return _PARTS[match[1].lower()[:2]] if match else ""


def stem_of(path: Path) -> str:
    """The file's name without endings and without the word that tells the part: ``email.train.tsv.gz`` is ``email``."""
    name = path.name
    while Path(name).suffix.lower() in _ENDINGS:
        name = Path(name).stem
    return re.sub(r"[._\-]{2,}", ".", _PART.sub("", name)).strip("._-") or name


def name_of(paths: Sequence[Path]) -> str:
    """What to call a problem in these files: their stems if there are one or two, else the first and how many more."""
    stems = list(dict.fromkeys(stem_of(path) for path in paths))
    return " and ".join(stems) if len(stems) < 3 else f"{stems[0]} and {len(stems) - 1} others"
