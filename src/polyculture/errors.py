"""What can go wrong, as a tree.

    PolycultureError
    ├── InputError          a value, column or option that was handed in cannot be used
    ├── FileError           a file or folder cannot be read or written
    ├── TrainingError       a recipe cannot be trained
    └── MissingExtraError   a package of an optional extra is not installed

Every error says three things in one line: what was wrong (with the value), what was expected, and the cure.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterable


class PolycultureError(Exception):
    """Base of every error that polyculture raises on purpose.

    Parameters
    ----------
    wrong : what was wrong, with the offending value.
    expected : what would have been accepted.
    cure : what the user can do next.

    Examples
    --------
    >>> print(pc.PolycultureError("level is 2", "a number between 0 and 1", "give 0.95"))
    level is 2; expected a number between 0 and 1; give 0.95.
    """

    def __init__(self, wrong: str, expected: str = "", cure: str = "") -> None:
        wrong, expected, cure = (visible(without_numpy(text)) for text in (wrong, expected, cure))
        self.wrong, self.expected, self.cure = wrong, expected, cure
        sentences = [wrong, f"expected {expected}" if expected else "", cure]
        line = "; ".join(s.strip().rstrip(".;") for s in sentences if s)
        super().__init__(line if line.endswith("?") else line + ".")


class InputError(PolycultureError, ValueError):
    """A value, column or option that was handed in cannot be used.

    It is a ValueError, too. Its one line says what was wrong, what was expected and what to do.

    Examples
    --------
    >>> pc.AuditOptions(level=2.0)
    Traceback (most recent call last):
        ...
    polyculture.errors.InputError: level is 2.0; expected a confidence level between 0 and 1, such as 0.95.
    """


class FileError(PolycultureError, OSError):
    """A file or folder cannot be read or written.

    It is an OSError, too, and names the file.

    Examples
    --------
    >>> pc.read("absent.csv")
    Traceback (most recent call last):
        ...
    polyculture.errors.FileError: no such file: absent.csv; expected ...; check the path.
    """


class TrainingError(PolycultureError, RuntimeError):
    """A recipe cannot be trained.

    It is a RuntimeError, too. A model that fails next to others that do not is in `Population.failed` instead.

    Examples
    --------
    >>> print(pc.TrainingError("no model could be trained", "", "see Population.failed for the reasons"))
    no model could be trained; see Population.failed for the reasons.
    """


class MissingExtraError(PolycultureError, ImportError):
    """A package of an optional extra is not installed.

    It is an ImportError, too, and says which extra to install.

    Parameters
    ----------
    package : the package that is missing.
    extra : the extra of polyculture that has it.

    Examples
    --------
    >>> print(pc.MissingExtraError("torch", "train"))
    the package 'torch' is not installed; pip install "polyculture[train]".
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"the package {package!r} is not installed", "", f'pip install "polyculture[{extra}]"')


_SCALAR = re.compile(
    r"""\bnp\.(?:u?int\w*|u?long(?:long)?|u?short|u?byte|float\w*|longdouble|complex\w*|str_|bytes_|bool_?|datetime64"""
    r"""|timedelta64)\(((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^()'"]|\([^()]*\))*)\)|\bnp\.(True|False)_?\b"""
    r"""|\bTimestamp\(('[^']*')[^()]*\)"""
)
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
"""C0 and C1, line ends, changes of direction, invisible characters; not the joiners that scripts and emoji need."""


def without_numpy(text: str) -> str:
    """The text with the values that numpy and pandas wrap in their types as Python writes them: 0, not np.int64(0)."""
    return _SCALAR.sub(lambda match: match[1] or match[2] or match[3] or "", text)


def visible(text: str) -> str:
    """The text with its control characters (terminal escapes, line ends, changes of direction) as escapes: \\x1b."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def need(*packages: str, extra: str = "train") -> None:
    """Refuse to go on without these packages of that extra; loads none of them."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra)


def near(name: str, candidates: Iterable[str]) -> str:
    """Words for an error about an unknown name: the near ones, or else all of them."""
    names = sorted(map(str, candidates))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    listing = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {listing}" if names else "there are none"
