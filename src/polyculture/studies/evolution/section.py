"""Which question does an evolution answer, and how are its tables read?"""

from polyculture.results import SectionSpec, TableSpec

SPEC = SectionSpec(
    "evolution",
    "What did each generation gain?",
    tables={
        "history": TableSpec(
            "Loss: of the best mixture of all models so far; gain: what the generation took off it. Elites: new models "
            "that are children of elites; advised: new models proposed by a model of past gains."
        ),
        "elites": TableSpec(
            "Instances that are failed alike form numbered groups. Fails: the group that a model fails most beyond the "
            "others; covers: the one it fails least. Of all models with the same two, the elite has the least loss."
        ),
    },
)
