"""How are long names made short enough for a picture or a terminal, and still told apart?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

WIDTH = 28
"""Characters that a name may have in a picture."""
ELLIPSIS = "…"
Span = tuple[int, int]
"""First character, and the one after the last."""
_SPLITS: tuple[Callable[[str], list[str]], ...] = (
    re.compile(r"[\W_]*[^\W_]+|[\W_]+\Z").findall,  # letters and digits, with the separators in front of them
    re.compile(r"[\W_]*(?:[^\W\d_]+|\d+)|[\W_]+\Z").findall,  # letters or digits
    list,
)


def short_names(names: Iterable[str], width: int = WIDTH) -> list[str]:
    """Names with what they have in common elided as ``…``, in the same order.

    A name of at most `width` characters stays as it is. Of a longer one those words stay where it parts from another
    name (or their letters, digits or single characters, where words take too much room), and as much of its beginning
    and end as there is room for.
    The result is unique where the names are, and the same in any order of them. It is longer than `width` only where
    what sets a name apart is.

    Parameters
    ----------
    names : of all models that are seen together.
    width : most characters of a name.
    """
    names = list(names)
    unique_names = sorted(set(names))
    if all(len(name) <= width for name in unique_names):
        return names
    spans = [_parting_spans(unique_names, split) for split in _SPLITS]
    forms = {name: [*_forms(name, [by_name[name] for by_name in spans], width), name] for name in unique_names}
    while repeated := _repeated(forms[name][0] for name in unique_names):
        for name in unique_names:
            if forms[name][0] in repeated and len(forms[name]) > 1:
                del forms[name][0]
    return [forms[name][0] for name in names]


def _repeated(names: Iterable[str]) -> set[str]:
    return {name for name, times in Counter(names).items() if times > 1}


def _forms(name: str, alternatives: list[list[Span]], width: int) -> list[str]:
    """Short forms of a name by what must stay of it, the best first; none where it is short."""
    if len(name) <= width:
        return []
    bare = _elided(name, alternatives[-1])
    forms = [*(_filled(name, spans, width) for spans in alternatives), bare]
    return [form for form in forms if len(form) <= width] or ([bare] if len(bare) < len(name) else [])


def _filled(name: str, spans: list[Span], width: int) -> str:
    """The name with these spans, and as much of its beginning and then of its end as fits."""

    def most(span: Callable[[int], Span], extent: list[Span]) -> Span:
        low, high = 0, len(name)
        while low < high:
            middle = (low + high + 1) // 2
            fits = len(_elided(name, [*extent, span(middle)])) <= width
            low, high = (middle, high) if fits else (low, middle - 1)
        return span(low)

    extent = [*spans, most(lambda k: (0, k), spans)]
    return _elided(name, [*extent, most(lambda k: (len(name) - k, len(name)), extent)])


def _elided(name: str, spans: Sequence[Span]) -> str:
    """The text of these spans; ``…`` for what lies between, unless that is a single character."""
    text, end = "", 0
    for start, stop in sorted((*spans, (len(name), len(name)))):
        if start > end:
            text += ELLIPSIS if start > end + 1 else name[end:start]
        text += name[max(start, end) : stop]
        end = max(end, stop)
    return text


def _parting_spans(names: Sequence[str], split: Callable[[str], list[str]]) -> dict[str, list[Span]]:
    """The pieces of each of these sorted names at which another name goes on in another way, or ends.

    The pieces where a name parts from those before it, in the order of pieces, are the distinct running minima of the
    common beginnings of neighbours; so they are for those after it.
    """
    pieces = sorted(map(split, names))
    parting: list[set[int]] = [set() for _ in pieces]
    for order in (range(len(pieces)), range(len(pieces) - 1, -1, -1)):
        minima: list[int] = []
        previous: list[str] | None = None
        for k in order:
            if previous is not None:
                common = _common(previous, pieces[k])
                while minima and minima[-1] >= common:
                    minima.pop()
                minima.append(common)
            parting[k].update(minima)
            previous = pieces[k]
    return {"".join(texts): _spans(texts, places) for texts, places in zip(pieces, parting, strict=True)}


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Number of equal pieces at the beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((k for k, (a, b) in pairs if a != b), min(len(first), len(second)))


def _spans(pieces: Sequence[str], places: Iterable[int]) -> list[Span]:
    """Where these pieces are in the text; the last piece for a place behind it, so that the end is seen."""
    starts = [0]
    for piece in pieces:
        starts.append(starts[-1] + len(piece))
    places = {min(place, len(pieces) - 1) for place in places}
    return [(starts[place], starts[place + 1]) for place in sorted(places)]
