"""Which question does an ablation answer, and how are its tables read?"""

from __future__ import annotations

from polyculture.results import SectionSpec, TableSpec

SPEC = SectionSpec(
    "ablation",
    "What does each lever change, and at what price?",
    tables={
        "effects": TableSpec(
            "A row per change and number. Plain and pulled: the number without and with it; change: their difference, "
            "of n_eff and costs their ratio; q: p adjusted over changes, which costs do not have.",
            rows=400,
        ),
        "standings": TableSpec(
            "The replicates of each recipe: mean accuracy, and how many independent models they fail like (n_eff with "
            "its limits, ρ their mean error correlation)."
        ),
    },
)
