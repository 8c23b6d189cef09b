"""Does the sentence say only what its intervals allow, and is every picture a table, too?"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from polyculture.reporting.sections import display_table, section_figures, spec_of
from polyculture.results import Section
from polyculture.studies.federation.members import LOCAL, MemberSet
from polyculture.studies.federation.mixes import class_table
from polyculture.studies.federation.section import client_table, difference_table, federation_section, set_table

from .sets_of_members import dataset, member_set, two_mixes

N = 400


def draws(m: int, rate: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((m, N)) < rate


def sets(federated_rate: float = 0.1) -> tuple[MemberSet, ...]:
    """Two local models that err on three in ten, one federated, two personalized, three federated anew."""
    mixes = two_mixes(N)
    federated = draws(1, federated_rate, 1)
    again = np.concatenate([federated, federated ^ draws(2, 0.02, 3)])
    return (
        member_set(draws(2, 0.3, 0), mixes),
        member_set(federated, mixes, "fedavg", clients=False),
        member_set(federated ^ draws(2, 0.05, 2), mixes, "fedavg, personalized"),
        member_set(again, mixes, "fedavg, independent runs", clients=False),
    )


def section_of(members: tuple[MemberSet, ...]) -> Section:
    clients = [dataset([0, 0, 0, 1]), dataset([1, 1])]
    rounds = pd.DataFrame({"algorithm": "fedavg", "round": [1, 2], "global": [0.5, 0.9], "own_mix": [0.6, 0.8]})
    tables = {
        "clients": client_table(members, [4, 2]),
        "rounds": rounds,
        "classes": class_table(clients, ["first", "second"]),
    }
    return federation_section(members, "fedavg", "classes spread by hand", tables)


def test_the_sentence_has_both_accuracies_and_whom_all_fail() -> None:
    section = section_of(sets())
    local, federated = (section.numbers[f"{name}_accuracy"].estimate for name in ("local", "federated"))
    assert section.sentence.startswith("One model by fedavg raises accuracy on everyone's mix from ")
    for number in (local, federated, section.numbers["local_own_mix"].estimate):
        assert f"{100 * number:.1f} % [" in section.sentence
    assert "2 clients, classes spread by hand, tested on 400 instances." in section.sentence
    assert "the 3 federated anew like 1." in section.sentence
    assert "does not visibly change from" in section.sentence  # 9 % of pairs of independent models, 10 % of one


def test_a_federated_model_that_is_worse_is_said_to_be_worse() -> None:
    section = section_of(sets(federated_rate=0.6))
    assert "lowers accuracy on everyone's mix" in section.sentence
    assert "that every client gets wrong rises from" in section.sentence
    assert section.numbers["federated_all_wrong_difference"].low > 0


def test_no_number_stands_without_its_interval() -> None:
    section = section_of(sets())
    assert all(interval.low <= interval.estimate <= interval.high for interval in section.numbers.values())
    accuracies = [name for name in section.numbers if name.endswith("_accuracy")]
    assert all(name.replace("_accuracy", "_own_mix") in section.numbers for name in accuracies)


def test_the_table_of_sets_has_a_row_for_each_and_local_models_differ_from_the_others_only() -> None:
    members = sets()
    table = set_table(members, {one.name: one.numbers() for one in members})
    assert table["set"].tolist() == [one.name for one in members]
    assert table["models"].tolist() == [2, 1, 2, 3]
    assert np.isnan(table["n_eff"][1])
    changes = difference_table(members)
    assert LOCAL not in set(changes["set"])
    assert len(changes) == 3 * 3


def test_every_client_has_a_row_for_each_set_that_it_could_use() -> None:
    table = client_table(sets(), [4, 2])
    assert set(table["set"]) == {LOCAL, "fedavg", "fedavg, personalized"}
    assert table.groupby("set").size().tolist() == [2, 2, 2]


def test_figures_are_strict_json_and_show_what_the_tables_have() -> None:
    section = section_of(sets())
    figures = section_figures(section)
    assert [name.removeprefix("federation_") for name in figures] == ["all_wrong", "accuracy", "rounds", "classes"]
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    rows = figures["federation_all_wrong"]["data"]["values"]
    assert [row["value"] for row in rows] == pytest.approx(section.tables["sets"]["all_wrong"].tolist(), rel=1e-5)
    assert len(figures["federation_accuracy"]["data"]["values"]) == 2 * len(section.tables["sets"])
    assert len(figures["federation_classes"]["data"]["values"]) == 4


def test_a_section_without_tables_has_no_figures() -> None:
    assert section_figures(Section("federation", "", "a sentence")) == {}


def test_every_number_and_every_table_is_described() -> None:
    section = section_of(sets())
    spec = spec_of(section)
    assert set(section.numbers) <= set(spec.numbers)
    assert set(section.tables) <= set(spec.tables)
    for name in section.tables:
        assert display_table(section, name).rows
