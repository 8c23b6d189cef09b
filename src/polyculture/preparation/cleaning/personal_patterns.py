"""What does a personal field look like? E-mail addresses, phone, account and card numbers, told by their checksums."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![\w@])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d.])[3-6]\d(?:[ -]?\d){11,17}(?![\d.]*\d)")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+\d{1,3}[ .-]?|00\d{1,3}[ .-]|0|\(\d{2,5}\) ?)(?:\(?\d{1,5}\)?[ /.-]?){1,5}\d{2,}(?![\w.]*\d)"
)
_PHONE_WITH_MARKS = re.compile(r"(?<![\w.+/-])\d{3}[ .-]\d{3}[ .-]\d{4}(?![\w-])")


def valid_iban(text: str) -> bool:
    """Whether the text is an international bank account number: its check digits leave 1 when divided by 97.

    Source: ISO 13616.
    """
    compact = re.sub(r"\s", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", compact):
        return False
    return int("".join(str(int(letter, 36)) for letter in compact[4:] + compact[:4])) % 97 == 1


def valid_card(text: str) -> bool:
    """Whether the text is a payment card number: 13 to 19 digits, the first 3 to 6, with Luhn's check digit.

    Source: ISO/IEC 7812.
    """
    digits = re.sub(r"[ -]", "", text)
    if not re.fullmatch(r"[3-6]\d{12,18}", digits) or len(set(digits)) == 1:
        return False
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def valid_phone(text: str) -> bool:
    """Whether the text is written as a phone number: 9 to 15 digits after +, 00, 0 or in groups; no dates."""
    digits = re.sub(r"\D", "", text)
    return 9 <= len(digits) <= 15 and len(set(digits)) > 2


PATTERNS: dict[str, tuple[tuple[re.Pattern[str], ...], Callable[[str], bool]]] = {
    "e-mail": ((_EMAIL,), lambda text: True),  # noqa: ARG005
    "iban": ((_IBAN,), valid_iban),
    "card": ((_CARD,), valid_card),
    "phone": ((_PHONE, _PHONE_WITH_MARKS), valid_phone),
}
"""Kinds of personal field in texts, in the order in which they are looked for: expressions and a check."""

FIELD_NAMES = {
    "e-mail": "an e-mail address",
    "iban": "a bank account number",
    "card": "a card number",
    "phone": "a phone number",
}


def personal_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of each personal field of a text, in the order of the text; none overlaps another."""
    spans: list[tuple[int, int, str]] = []
    for kind, (expressions, valid) in PATTERNS.items():
        for expression in expressions:
            for match in expression.finditer(text):
                separate = all(match.end() <= start or match.start() >= end for start, end, _ in spans)
                if separate and valid(match[0]):
                    spans.append((match.start(), match.end(), kind))
    yield from sorted(spans)


_HEADERS = {
    "a name": r"name|(first|last|full|given|family|middle|maiden|user|patient|customer|client|person)_?name|surname"
    r"|vorname|nachname|forename",
    "an e-mail address": r"e_?mail(_?address)?",
    "a phone number": r"(tele)?phone(_?(number|no|nr))?|mobile|fax|telefon",
    "an address": r"(home|street|postal|ip|mac)?_?address|street|zip(_?code)?|post_?code|postal_?code",
    "a date of birth": r"(date_?of_?)?birth(_?(date|day))?|dob",
    "an official number": r"ssn|social_?security(_?(number|no))?|passport(_?(number|no))?|tax_?id|iban|national_?id"
    r"|(credit_?)?card_?(number|no)",
}
_IDENTIFIER = re.compile(
    r"(.*_)?(id|uuid|guid|key|nr|no|number|code)|(user|patient|customer|client|person|subject|speaker)"
)


def header_words(column: str) -> str:
    """The name of a column in lower case, its words joined by ``_``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[^\w]+", "_", words).strip("_").lower()


def personal_header(column: str) -> str:
    """What the name of a column says that it holds, such as ``a name``; nothing where it says nothing personal."""
    words = header_words(column)
    return next((meaning for meaning, names in _HEADERS.items() if re.fullmatch(names, words)), "")


def identifier_header(column: str) -> bool:
    """Whether the name of a column is one of identifiers, such as ``patient_id``."""
    return bool(_IDENTIFIER.fullmatch(header_words(column)))
