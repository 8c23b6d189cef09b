"""How is a formula shown without a script? LaTeX becomes MathML while the site is built; browsers draw it."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)
LONG = 30
"""Characters of LaTeX from which on a formula in a line may be wider than the screen of a phone."""
TAG = re.compile(r"\\tag\{([^}]*)\}")


def draw(page: str) -> str:
    """The HTML of a page with every formula as MathML, the number of an equation beside it.

    Raises ValueError that quotes the formula that cannot be read.
    """
    return FORMULA.sub(_mathml, page)


def _mathml(match: re.Match[str]) -> str:
    latex = html.unescape(match[2]).strip()
    latex = latex.removeprefix("\\(").removesuffix("\\)").removeprefix("\\[").removesuffix("\\]").strip()
    number = TAG.search(latex)
    formula = _converted(TAG.sub("", latex).strip(), "block" if match[1] == "div" else "inline")
    if match[1] == "span":
        return f'<span class="long-formula">{formula}</span>' if len(latex) > LONG else formula
    label = f'<span class="equation-number">({html.escape(number[1])})</span>' if number else ""
    return f'<div class="equation">{formula}{label}</div>'


def _converted(latex: str, display: str) -> str:
    """MathML; latex2mathml shows an unknown command as text and closes open braces, which is an error here."""
    try:
        if latex.replace(r"\{", "").count("{") != latex.replace(r"\}", "").count("}"):
            raise ValueError("unequal numbers of { and }")
        formula = convert(latex, display=display)
        if unknown := re.search(r">(\\\w+)", formula):
            raise ValueError(f"unknown command {unknown[1]}")
    except Exception as error:  # latex2mathml has a dozen kinds, none of which names the formula
        raise ValueError(f"the formula {latex!r} cannot be read ({type(error).__name__} {error})") from error
    return formula
