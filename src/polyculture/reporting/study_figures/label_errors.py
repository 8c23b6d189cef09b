"""Which labels may be wrong? The instances with what they are labelled and what models suggest."""

from __future__ import annotations

from polyculture.results import Section

from ..charts.pictures import gallery, pictures_of
from ..charts.vega import Spec, rows_of

COLUMNS = 6


def draw(section: Section) -> dict[str, Spec]:
    """Pictures of the most suspicious instances; texts and tables are quoted in the table."""
    table = rows_of(section, "pictures", "example", "title", "caption", "height", "width", "channels", "levels")
    if not len(table):
        return {}
    rows = [
        {"row": k // COLUMNS, "column": k % COLUMNS, "url": url, "title": str(row["title"]), "text": row["caption"]}
        for k, (row, url) in enumerate(pictures_of(table))
    ]
    caption = "The most suspicious first: the label as it is → what the models suggest, and the instance."
    return {"suspects": gallery("Labels that models contradict", rows, COLUMNS, caption)}
