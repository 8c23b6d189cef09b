"""When are two texts the same answer? By named rules; a text that a rule cannot parse is no answer.

exact            whitespace around the text is ignored
quasi-exact      ignores case, punctuation, articles and spacing (HELM's quasi_exact_match, after SQuAD's scorer)
numeric          the last number in the text (as the flexible filter of lm-evaluation-harness), 1,234.50 = 1234.5,
                 $5 = 5, 50% = 50, 1/2 = 0.5, and a decimal comma that separates no thousands, 0,94 = 0.94
multiple-choice  the letter of the final answer: "(B)", "B.", "Answer: B", "the answer is B"
code             the first fenced block, or else all of the text, without blank lines, comments and trailing spaces
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from polyculture.errors import InputError, near

Normalizer = Callable[[str], str | None]
"""A text → its normal form; None if it cannot be parsed."""

_PART = r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>[-+−]?)[$€£]?(?:(?<![\d/])(?:(?P<whole>\d+)\s)?(?P<top>{_PART})\s?/\s?(?P<bottom>{_PART})(?![\d/])"
    rf"|(?<![\d.,])(?P<comma>\d+,(?:\d{{1,2}}|\d{{4,}}|(?<=\b0,)\d{{3}}))(?![\d.]|,\d)|(?P<number>{_PART}))"
)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_STATED = re.compile(r"\banswer\b(?:\s+is)?\s*[:=]?\s*[\(\[*]*([A-Z])\b", re.IGNORECASE)
_ALONE = re.compile(r"^[\s\(\[*]*([A-Za-z])[\s\)\].:*]*(?:$|[\n.:)])")
_MENTIONED = re.compile(r"[\(\[]([A-Z])[\)\]]")
_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)


def exact(text: str) -> str | None:
    """The text without surrounding whitespace."""
    return text.strip() or None


def quasi_exact(text: str) -> str | None:
    """Lower case, without punctuation, articles (a, an, the) and extra spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()) or None


def numeric(text: str) -> str | None:
    """The last number, in its shortest form; a quotient that has no finite decimal as such."""
    matches = list(_NUMBER.finditer(text))
    if not matches:
        return None
    match = matches[-1]
    sign = "-" if match["sign"] in ("-", "−") else ""
    digits_text = (match["comma"] or "").replace(",", ".") or (match["top"] or match["number"]).replace(",", "")
    number = Decimal(sign + digits_text)
    bottom = Decimal((match["bottom"] or "1").replace(",", ""))
    if bottom == 0:
        return None
    if bottom != 1:
        quotient = Fraction(number) / Fraction(bottom)
        quotient += int(sign + match["whole"]) if match["whole"] else 0
        number = Decimal(quotient.numerator) / Decimal(quotient.denominator)
        if Fraction(number) != quotient:
            return str(quotient)
    if abs(number.adjusted()) > 30:
        return str(number.normalize())
    digits = format(number, "f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in ("-0", "") else digits


def multiple_choice(text: str) -> str | None:
    """The letter of the choice: the last one stated as the answer, a single letter, or the only one in brackets."""
    stated = _STATED.findall(text)
    if stated:
        return str(stated[-1]).upper()
    mentioned = set(_MENTIONED.findall(text))
    single = _ALONE.match(text)
    if single and len(mentioned) < 2:
        return single[1].upper()
    return mentioned.pop() if len(mentioned) == 1 else None


def code(text: str) -> str | None:
    """The program without comment lines, blank lines and trailing spaces."""
    fenced = _FENCE.search(text)
    lines = (fenced[1] if fenced else text).splitlines()
    statements = [line.rstrip() for line in lines if line.strip() and not line.lstrip().startswith(("#", "//"))]
    return "\n".join(statements) or None


VERDICTS: dict[str, bool] = {
    **dict.fromkeys(("true", "yes", "correct", "right", "pass", "passed"), True),
    **dict.fromkeys(("false", "no", "incorrect", "wrong", "fail", "failed"), False),
}
"""Words that say right or wrong, in any case."""


def verdict(value: object) -> bool | None:
    """Whether a boolean or a word says right or wrong; None where it is something else."""
    if isinstance(value, bool):
        return value
    return VERDICTS.get(value.strip().casefold()) if isinstance(value, str) else None


NORMALIZERS: dict[str, Normalizer] = {
    "exact": exact,
    "quasi-exact": quasi_exact,
    "numeric": numeric,
    "multiple-choice": multiple_choice,
    "code": code,
}
"""What `normalize=` takes: how two texts are compared, by name."""


def normalizer(name: str) -> Normalizer:
    """The rule of this name."""
    if name not in NORMALIZERS:
        raise InputError(f"no normalizer {name!r}", f"one of {', '.join(NORMALIZERS)}", near(name, NORMALIZERS))
    return NORMALIZERS[name]
