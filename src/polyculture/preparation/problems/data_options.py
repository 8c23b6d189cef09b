"""How should files be read and split? The options that a user sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from polyculture.errors import InputError, near

KINDS = ("table", "image", "text", "tags", "audio", "series")


@dataclass(frozen=True)
class DataOptions:
    """What is to be learned from files, and how they are split; every option has a default.

    Parameters
    ----------
    kind : one of `KINDS`; recognised from the files by default.
    label : column with what is to be predicted; by default one with a common name, or else the last column.
    positive : makes the label binary, whether it is this: ``">0"``, ``"<=2"``, ``"=bad"``, ``"yes"``.
    task : ``"classification"`` or ``"regression"``; by default labels that are numbers with fractions, or more than
        20 distinct ones, are numbers to be predicted.
    ignore : columns that are no inputs.
    group : column of groups to compare; of several files ``"file"``, of recordings ``"speaker"``. No input.
    hold_out : values of that column that are kept out of the three parts; each is a separate test set.
    cluster : column that identifies related instances; the parts of the split share none of its values.
    time : column of times; the test set is then later than the training set.
    fold : ``"2/5"`` tests on the second of five folds. With any of these three, parts that files define are not used.
    test_on : other files, or problems by name, that become further test sets.
    limit : instances in each part at most, a stratified sample; with time the latest for training, the first otherwise.
    shifts : kinds of graded shift of the test set; None for all.
    window, horizon : of a time series, how many steps are inputs, and how many steps ahead is predicted.

    Raises InputError for an unknown kind or task, two ways of splitting, and limits, windows or horizons below 1.

    Examples
    --------
    >>> options = pc.DataOptions(label="grade", task="classification", cluster="patient")
    >>> options.window, options.horizon
    (24, 1)
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
        schemes = [name for name in ("cluster", "time") if getattr(self, name)]
        if len(schemes) > 1 or (self.time and self.fold):
            raise InputError(
                f"both {' and '.join(schemes) if len(schemes) > 1 else 'time and fold'}", "one way of splitting"
            )
        self.fold_and_count()

    def fold_and_count(self) -> tuple[int, int] | None:
        """Number of the fold, from 0, and how many there are."""
        if not self.fold:
            return None
        match = re.fullmatch(r"(\d+)/(\d+)", self.fold)
        if not match or not 1 <= int(match[1]) <= int(match[2]) or int(match[2]) < 2:
            raise InputError(f"the fold is {self.fold!r}", "which of how many, such as '2/5'")
        return int(match[1]) - 1, int(match[2])


_PART_WORD = re.compile(
    r"(?:^|(?<=[._\-]))(train|training|dev|valid|val|validation|test|testing|t10k)(?=[._\-]|$)", re.I
)
_PARTS = {"tr": "train", "de": "selection", "va": "selection", "te": "test", "t1": "test"}
_FILE_ENDINGS = {
    *(".gz", ".csv", ".tsv", ".txt", ".parquet", ".conll", ".conllu"),
    *(".iob", ".bio", ".npz", ".zip", ".dat", ".data"),
}


def part_of(path: Path) -> str:
    """``"train"``, ``"selection"`` or ``"test"`` where the file's name says so (train, dev, test), or nothing."""
    match = _PART_WORD.search(path.name)
    return _PARTS[match[1].lower()[:2]] if match else ""


def stem_of(path: Path) -> str:
    """The file's name without endings and without the word for the part: ``email.train.tsv.gz`` is ``email``."""
    name = path.name
    while Path(name).suffix.lower() in _FILE_ENDINGS:
        name = Path(name).stem
    return re.sub(r"[._\-]{2,}", ".", _PART_WORD.sub("", name)).strip("._-") or name


def name_of(paths: Sequence[Path]) -> str:
    """What to call a problem in these files: their stems if there are one or two, else the first and how many more."""
    stems = list(dict.fromkeys(stem_of(path) for path in paths))
    return " and ".join(stems) if len(stems) < 3 else f"{stems[0]} and {len(stems) - 1} others"


def is_visible(path: PurePath) -> bool:
    """Whether no part of a relative path is hidden, or one of those that macOS leaves behind."""
    return not any(part.startswith((".", "__MACOSX")) for part in path.parts)
