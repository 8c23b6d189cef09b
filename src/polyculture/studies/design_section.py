"""Which factors of a design can be told apart, as a section of a report?"""

from __future__ import annotations

from polyculture.recipe import Design
from polyculture.results import Section, SectionSpec, TableSpec

SPEC = SectionSpec(
    "design",
    "Which factors can this design identify?",
    tables={
        "axes": TableSpec(
            "A row per axis that varies. Variance inflation: near 1 where an axis is crossed evenly with the others, "
            "larger where they explain part of it. Tested by: empty where the design cannot identify the axis; the "
            "note says why.",
            headings={
                "fewest": "models at the rarest level",
                "pairs": "pairs of equal level",
                "vif": "variance inflation",
                "discordant": "pairs that tell it from another axis",
                "arrangements": "ways to permute",
            },
            percent=("pairs",),
        )
    },
)


def design_section(design: Design) -> Section:
    """What the design can tell apart: its sentence, and the table ``axes`` with a row per axis that varies."""
    return SPEC.answer(design.sentence, {}, {"axes": design.table})
