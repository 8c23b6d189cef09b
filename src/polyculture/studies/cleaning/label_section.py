"""Which labels may be wrong? What models that did not learn from them suggest, and what leaving them out would hide."""

from __future__ import annotations

import pandas as pd

from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, percent, plural

from .examples import PICTURES, picture_row, quote
from .options import LABEL_ERROR
from .sources import CleaningSource
from .suspects import Suspects

MOST_SUSPECTS = 40
MOST_PICTURES = 24
CAUTION = (
    "Models that share the labeller's blind spots confirm its errors, and a label that models contradict may be right: "
    "look before you change any."
)


def label_section(source: CleaningSource, suspects: Suspects, removed: pd.DataFrame) -> Section:
    """The section of these suspects."""
    errors = suspects.errors
    if errors.reason:
        return SPEC.skip(errors.reason)
    table = suspects.table(source.raw)
    first = table.head(MOST_SUSPECTS)
    quotes = quote(source.raw, first["place"].tolist())
    shown = first.drop(columns=["place"]).assign(content=quotes)
    shown = shown if any(quotes) else shown.drop(columns=["content"])
    tables = {"suspects": shown} if len(shown) else {}
    pictures = [
        line
        for k, row in enumerate(table.head(MOST_PICTURES).to_dict("records"))
        for line in picture_row(source.raw, row["place"], k, f"{row['label']} → {row['suggested']}", row["instance"])
    ]
    if pictures:
        tables["pictures"] = pd.DataFrame(pictures, columns=PICTURES)
    if errors.left_out is not None:
        tables["without_kind"] = pd.DataFrame(
            {
                "models": errors.left_out.names,
                "flagged_without": errors.left_out.flagged.sum(axis=1),
                "changed": errors.left_out.changed,
                "sides_with_labels": errors.left_out.sides_with_labels,
            }
        )
    return SPEC.answer(_sentence(suspects, removed), _numbers(suspects), tables)


def _sentence(suspects: Suspects, removed: pd.DataFrame) -> str:
    errors, n = suspects.errors, len(suspects.rows)
    m = len(suspects.architectures)
    text = [f"{errors.count:,} of {plural(n, 'label')} ({percent(errors.count / n)}) may be wrong."]
    text.append(f"So say {plural(m, 'model')} ({', '.join(dict.fromkeys(suspects.architectures))}), out of fold.")
    if errors.count:
        before, after = percent(errors.all_wrong_rate), percent(errors.all_wrong_rate_without)
        text.append(
            f"On {errors.all_wrong_flagged:,} of them every model contradicts the label. With all rows "
            f"{before} are failed by every model, without the suspects {after}: leaving them out lowers that number by "
            "construction, and may hide what all models fail on."
        )
    applied = int((removed["kind"] == LABEL_ERROR).sum())
    text.append(f"Left out of the copy: {applied:,}." if applied else "None was left out.")
    return " ".join([*text, CAUTION])


def _numbers(suspects: Suspects) -> dict[str, Interval]:
    errors, n = suspects.errors, len(suspects.rows)
    precision = Interval(errors.expected_precision, n=errors.count, method="as many wrong as where the mean is sure")
    if not precision.defined:
        precision = Interval.undefined("no label is flagged", n)
    elif precision.estimate >= 1:  # the estimate is cut at 1, where it says nothing
        precision = Interval.undefined("more labels are expected to be wrong than are flagged", errors.count)
    return {
        "flagged": Interval(errors.count / n, n=n, method="counted"),
        "estimated": Interval(errors.estimated_count / n, n=n, method="confident joint"),
        "precision": precision,
        "all_wrong": Interval(errors.all_wrong_rate, n=n, method="all rows"),
        "all_wrong_without": Interval(errors.all_wrong_rate_without, n=n - errors.count, method="without the suspects"),
    }


SPEC = SectionSpec(
    "label_errors",
    "Which labels may be wrong?",
    numbers={
        "flagged": "labels flagged",
        "estimated": "labels that are wrong, estimated",
        "precision": "share of the flagged that are wrong, expected",
        "all_wrong": "failed by every model, all rows",
        "all_wrong_without": "failed by every model, without the flagged",
    },
    percent=("flagged", "estimated", "precision", "all_wrong", "all_wrong_without"),
    tables={
        "suspects": TableSpec(
            "The most suspicious first. Margin: mean probability of the label less the largest other; against: models "
            "whose own answer is another class; all wrong: whether that is all of them.",
            headings={"all_wrong": "all against"},
            percent=(),
            rows=40,
            ranked=True,
        ),
        "without_kind": TableSpec(
            "What the others flag without the models of one kind; the share of flags that changes; and how often the "
            "kind sides with labels that the others contradict: a kind that made the labels does so often.",
            percent=("changed", "sides_with_labels"),
        ),
        "pictures": TableSpec(rows=0, ranked=True),
    },
)
