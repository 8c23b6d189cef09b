"""When do two texts say the same? Each rule has a name of the field; a text that a rule cannot parse is no answer.

exact            blanks around it do not count
quasi-exact      case, punctuation, articles and spacing do not count (HELM's quasi_exact_match, after SQuAD's scorer)
numeric          the last number in the text (as the flexible filter of lm-evaluation-harness), 1,234.50 = 1234.5
multiple-choice  the letter that the text settles on: "(B)", "B.", "Answer: B", "the answer is B"
code             the first fenced block, or else the whole text, without blank lines, comments and spacing at line ends
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from decimal import Decimal

from polyculture.errors import InputError, near

Normalizer = Callable[[str], str | None]
"""A text → what it says, in a common form; None if that cannot be told."""

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_STATED = re.compile(r"\banswer\b(?:\s+is)?\s*[:=]?\s*[\(\[*]*([A-Z])\b", re.IGNORECASE)
_ALONE = re.compile(r"^[\s\(\[*]*([A-Za-z])[\s\)\].:*]*(?:$|[\n.:)])")
_MENTIONED = re.compile(r"[\(\[]([A-Z])[\)\]]")
_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)


def exact(text: str) -> str | None:
    """The text without blanks around it."""
    return text.strip() or None


def quasi_exact(text: str) -> str | None:
    """Lower case, without punctuation, articles (a, an, the) and extra spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()) or None


def numeric(text: str) -> str | None:
    """The last number, in its shortest form."""
    numbers = _NUMBER.findall(text)
    if not numbers:
        return None
    number = Decimal(numbers[-1].replace(",", ""))
    if abs(number.adjusted()) > 30:
        return str(number.normalize())
    digits = format(number, "f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in ("-0", "") else digits


def multiple_choice(text: str) -> str | None:
    """The letter of the choice: the last one stated as the answer, one alone, or the only one in brackets."""
    stated = _STATED.findall(text)
    if stated:
        return str(stated[-1]).upper()
    mentioned = set(_MENTIONED.findall(text))
    single = _ALONE.match(text)
    if single and len(mentioned) < 2:
        return single[1].upper()
    return mentioned.pop() if len(mentioned) == 1 else None


def code(text: str) -> str | None:
    """The program without what does not change it: comment lines, blank lines, spaces at line ends."""
    fenced = _FENCE.search(text)
    lines = (fenced[1] if fenced else text).splitlines()
    statements = [line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith(("#", "//"))]
    return "\n".join(statements) or None


NORMALIZERS: dict[str, Normalizer] = {
    "exact": exact,
    "quasi-exact": quasi_exact,
    "numeric": numeric,
    "multiple-choice": multiple_choice,
    "code": code,
}


def normalizer(name: str) -> Normalizer:
    """The rule of that name."""
    if name not in NORMALIZERS:
        raise InputError(f"no normalizer {name!r}", f"one of {', '.join(NORMALIZERS)}", near(name, NORMALIZERS))
    return NORMALIZERS[name]
